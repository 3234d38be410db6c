// Where a second copy of an SDK may be: below other packages, as npm, pnpm and workspaces lay them out.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dependantsOf } from '../../src/patch/dependants.ts'

function folderWith(paths: readonly string[], links: Readonly<Record<string, string>> = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tallygate-modules-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const path of paths) mkdirSync(join(folder, path), { recursive: true })
  for (const [link, target] of Object.entries(links)) {
    mkdirSync(dirname(join(folder, link)), { recursive: true })
    symlinkSync(join(folder, target), join(folder, link))
  }
  return folder
}

const within = (folder: string, packageName = 'openai') =>
  dependantsOf(packageName, folder).map((path) => path.slice(folder.length + 1))

test('npm: in the package that wants another major, scoped or not, however deep', () => {
  const folder = folderWith([
    'node_modules/openai',
    'node_modules/plain/node_modules/openai',
    'node_modules/@langchain/openai/node_modules/openai',
    'node_modules/@langchain/core/node_modules/zod',
    'node_modules/outer/node_modules/inner/node_modules/openai',
    'node_modules/other',
  ])
  expect(within(folder).sort()).toEqual([
    'node_modules/@langchain/openai',
    'node_modules/outer/node_modules/inner',
    'node_modules/plain',
  ])
})

test('npm: a scoped SDK', () => {
  const folder = folderWith(['node_modules/@langchain/anthropic/node_modules/@anthropic-ai/sdk'])
  expect(within(folder, '@anthropic-ai/sdk')).toEqual(['node_modules/@langchain/anthropic'])
})

test('from a folder within the application too', () => {
  const folder = folderWith(['src/deep', 'node_modules/plain/node_modules/openai'])
  expect(dependantsOf('openai', join(folder, 'src/deep'))).toEqual([join(folder, 'node_modules/plain')])
})

test('pnpm: beside the package, in the store', () => {
  const store = 'node_modules/.pnpm/@langchain+openai@1.6.0/node_modules'
  const folder = folderWith([`${store}/@langchain/openai`, 'node_modules/.pnpm/openai@7.57.0/node_modules/openai'], {
    [`${store}/openai`]: 'node_modules/.pnpm/openai@7.57.0/node_modules/openai',
    'node_modules/@langchain/openai': `${store}/@langchain/openai`,
  })
  expect(within(folder)).toEqual(['node_modules/.pnpm/@langchain+openai@1.6.0'])
})

test('a workspace that is linked is another application', () => {
  const folder = folderWith(['apps/other/node_modules/openai'], { 'node_modules/other': 'apps/other' })
  expect(within(folder)).toEqual([])
})

test('a link that leads nowhere, and a folder without packages', () => {
  const folder = folderWith([], { 'node_modules/gone': 'nowhere' })
  expect(within(folder)).toEqual([])
  expect(within(folderWith([]))).toEqual([])
})
