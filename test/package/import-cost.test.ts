// What `import 'tallygate'` makes Node load: our own start-up code, and nothing that can wait for the first use.

import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { entries, root } from '../../scripts/entries.mjs'

const run = promisify(execFile)

/** Registered before anything else: sees every module, imported or required, that is loaded from then on. */
const WATCH = `
  import { registerHooks } from 'node:module'
  globalThis.loaded = []
  registerHooks({ load(url, context, next) { globalThis.loaded.push(url); return next(url, context) } })
`
const PRINT = 'process.stdout.write(JSON.stringify(globalThis.loaded))'

/** Built-ins that take long to load, open something or are missing from some Nodes. */
const COSTLY_BUILTINS = ['node:sqlite', 'node:http2', 'node:worker_threads', 'node:inspector', 'node:cluster']

/** Above the code, which has every waist and every route in it, the spool, and the limits. */
const MOST_BYTES = 615_000

async function loadedBy(name: string): Promise<{ ours: string[]; others: string[] }> {
  const file = join(root, 'dist', `${name}.js`)
  const watch = `data:text/javascript,${encodeURIComponent(WATCH)}`
  const code = `await import(${JSON.stringify(file)}); ${PRINT}`
  const { stdout } = await run(process.execPath, ['--import', watch, '--input-type=module', '-e', code])
  const urls = JSON.parse(stdout) as string[]
  const paths = urls.filter((url) => url.startsWith('file:')).map((url) => relative(root, fileURLToPath(url)))
  return {
    ours: paths.filter((path) => path.startsWith('dist/')),
    others: [...paths.filter((path) => !path.startsWith('dist/')), ...urls.filter((url) => url.startsWith('node:'))],
  }
}

test.each(entries().library)('importing $name loads no dependency, no SDK and no costly built-in', async ({ name }) => {
  const { ours, others } = await loadedBy(name)
  expect(ours).toContain(`dist/${name}.js`)
  expect(others.filter((it) => !it.startsWith('node:'))).toEqual([])
  expect(others.filter((it) => COSTLY_BUILTINS.includes(it))).toEqual([])
})

test('importing the package leaves the price data on the disk', async () => {
  const { ours } = await loadedBy('index')
  expect(ours.filter((path) => path.includes('price-book-'))).toEqual([])
  const bytes = ours.reduce((sum, path) => sum + statSync(join(root, path)).size, 0)
  expect(bytes).toBeLessThan(MOST_BYTES)
})
