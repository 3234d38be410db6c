// Which versions of an SDK the patches were tried with.

import { expect, test } from 'vitest'
import { supportOf, testedRange } from '../../src/patch/tested-versions.ts'

test.each([
  ['3.3.0', 'older'],
  ['4.0.0', 'tested'],
  ['6.49.0', 'tested'],
  ['7.57.0', 'tested'],
  ['7.57.99', 'tested'],
  ['7.58.0', 'newer'],
  ['10.0.0', 'newer'],
  ['7.9.0', 'tested'],
  ['8.0.0-beta.1', 'newer'],
  ['0.0.0-local', 'older'],
  ['workspace', 'unknown'],
  [undefined, 'unknown'],
] as const)('openai %s is %s', (version, support) => {
  expect(supportOf('openai', version)).toBe(support)
})

test('a range is told as a person says it', () => {
  expect(testedRange('anthropic')).toBe('0.20 to 1.12')
})
