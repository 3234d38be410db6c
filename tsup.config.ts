// What is built is what package.json promises; a lazily imported module stays a file of its own. scripts/build.mjs makes the
// CommonJS of it, and here are only its types.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineConfig, type Options } from 'tsup'
import { entries, root } from './scripts/entries.mjs'

const { library, commands, threads } = entries()
const entry = (list: typeof library): Record<string, string> =>
  Object.fromEntries(list.map(({ name, source }) => [name, source]))

const MAIN = join(root, 'src/index.ts')
/** Shares no code with the rest. */
const APART = join(root, 'src/emulator/')

/**
 * What the main entry needs becomes one file. The bundler makes a file of every set of entries that share some modules,
 * and Node takes 0.7 ms to resolve and link each (Node 24: 32 ms for 14 files, 22 for the same code in one). So whatever
 * else is loaded by itself is told to need all of the main entry: then all of it is shared by the same ones.
 */
const oneMainFile: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'one-main-file',
  setup(build) {
    const loadedByItself = new Set([...library.map(({ source }) => join(root, source)), ...lazilyLoaded()])
    build.onResolve({ filter: /^tallygate:main$/ }, () => ({ path: MAIN, sideEffects: true }))
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      const isAlone = !/^(import|export) .*from/m.test(text)
      if (path === MAIN || isAlone || path.startsWith(APART) || !loadedByItself.has(path)) return undefined
      return { contents: `${text}\nimport 'tallygate:main'\n`, loader: 'ts', resolveDir: dirname(path) }
    })
  },
}

/** Files of ours that are the target of an `await import()`. */
function lazilyLoaded(): string[] {
  const src = join(root, 'src')
  const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return sources.flatMap((name) =>
    [...readFileSync(join(src, name), 'utf8').matchAll(/\bimport\('(\.[^']+)'\)/g)].map(([, path = '']) =>
      join(src, dirname(name), path),
    ),
  )
}

const shared: Options = {
  target: 'node20',
  platform: 'node',
  // tsup would write `sqlite` for `node:sqlite`, which no Node resolves.
  removeNodeProtocol: false,
  esbuildPlugins: [oneMainFile],
  // Most of what importing costs is V8 reading the text: a tenth less of it without the white space. Lines stay, so that a
  // stack trace says where it was, and names: `minifySyntax` would take those of methods that stand in an SDK's place.
  esbuildOptions(options) {
    options.minifyWhitespace = true
    options.lineLimit = 160
  },
}

export default defineConfig([
  { ...shared, format: 'esm', entry: entry([...library, ...commands, ...threads]), dts: { entry: entry(library) } },
  { ...shared, format: 'cjs', entry: entry(library), dts: { entry: entry(library), only: true } },
])
