// What package.json promises is what was built, and every way in gives the same.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { entries, root } from '../../scripts/entries.mjs'

const { library, commands, threads } = entries()
const require = createRequire(import.meta.url)

describe.each(library)('dist/$name', ({ name, source, outputs }) => {
  test('has a source', () => {
    expect(existsSync(join(root, source))).toBe(true)
  })

  test('is built for both module systems, with types', () => {
    expect([...outputs].sort()).toEqual(['cjs', 'd.cts', 'd.ts', 'js'].map((suffix) => `./dist/${name}.${suffix}`))
    expect(outputs.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  test('gives the same names to `import` and to `require`', async () => {
    const esm: object = await import(join(root, `dist/${name}.js`))
    const cjs: object = require(join(root, `dist/${name}.cjs`))
    expect(Object.keys(cjs).sort()).toEqual(Object.keys(esm).sort())
  })
})

test.each(commands)('dist/$name is a command that a shell can start', ({ outputs: [file = ''] }) => {
  expect(readFileSync(join(root, file), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  expect(statSync(join(root, file)).mode & 0o111).not.toBe(0)
})

test.each(threads)('dist/$name runs in a thread', ({ source, outputs }) => {
  for (const file of [source, ...outputs]) expect(existsSync(join(root, file))).toBe(true)
})

test('`module-sync` comes first, so that an application that imports and requires has one meter', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object }
  for (const target of Object.values(exports) as (string | Record<string, unknown>)[]) {
    if (typeof target === 'string') continue
    expect(Object.keys(target)).toEqual(['module-sync', 'import', 'require'])
    expect(target['module-sync']).toEqual(target['import'])
  }
})

test('a test that imports the package by its name gets the one copy that Node has', async () => {
  const byName: object = await import('tallygate')
  expect(byName).toBe(require('tallygate'))
})
