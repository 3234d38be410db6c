// What is built is what package.json promises, in both module systems; a lazily imported module stays a file of its own in both.

import { defineConfig, type Options } from 'tsup'
import { entries } from './scripts/entries.mjs'

const { library, commands } = entries()
const entry = (list: typeof library): Record<string, string> =>
  Object.fromEntries(list.map(({ name, source }) => [name, source]))

const shared: Options = {
  target: 'node20',
  platform: 'node',
  // Without it tsup bundles the CJS build into one file, and `await import()` of a heavy part no longer waits.
  splitting: true,
  // tsup would write `sqlite` for `node:sqlite`, which no Node resolves.
  removeNodeProtocol: false,
}

export default defineConfig([
  { ...shared, format: 'esm', entry: entry([...library, ...commands]), dts: { entry: entry(library) } },
  { ...shared, format: 'cjs', entry: entry(library), dts: { entry: entry(library) } },
])
