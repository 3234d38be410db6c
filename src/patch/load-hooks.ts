// Sees the copies of SDKs as Node loads them, by the hooks that the running Node has.
//
// Hooks, with the versions they were tried in:
// - `module.registerHooks`: 22.15 and later, 24, 26. On the main thread, for `import` and `require` alike.
// - 20.19 to 22.14: `module.register` for `import` (its hooks run on a thread of their own, 0.1 s to start), and
//   `Module.prototype._compile` for `require`. A `require` of an SDK's ES module passes both unseen.
//
// The SDK's main file gets one more statement after its last line (or `_compile` looks at it then), which hands its
// exports over; no other file is touched, and no export is replaced or proxied.

import type { SdkName } from './exchange.ts'
import { noteLoaded } from './loaded-copies.ts'
import { PACKAGES } from './locate.ts'

const TAKE = 'tallygate.takeLoaded'
const KEY = Symbol.for(TAKE)
const shared = globalThis as { [KEY]?: (namespace: unknown, location: string) => void }

const names = Object.values(PACKAGES).map((name) => name.replace(/[/.]/g, '[\\\\/.]'))
/** An SDK's main file, in each of its builds; `client` is the one that packages built on an SDK start from. */
const MAIN_FILE = `[\\\\/]node_modules[\\\\/](${names.join('|')})[\\\\/](?:dist[\\\\/](?:node[\\\\/])?)?(?:index|client)\\.[cm]?js$`
const mainFile = new RegExp(MAIN_FILE)

/** An ES module imports itself, which gives the one namespace that everybody gets. */
const OF_MODULE = `\n;import * as tallygateOwn from $URL;globalThis[Symbol.for('${TAKE}')]?.(tallygateOwn,$URL)`
const OF_SCRIPT = `\n;globalThis[Symbol.for('${TAKE}')]?.(module.exports,__filename)`

/** For the thread of `module.register`, which has nothing of ours but this text. */
const HOOKS_THREAD = `
const mainFile = new RegExp(${JSON.stringify(MAIN_FILE)})
export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (loaded.format !== 'module' || loaded.source == null || !mainFile.test(url)) return loaded
  const statement = ${JSON.stringify(OF_MODULE)}.replaceAll('$URL', () => JSON.stringify(url))
  return { ...loaded, source: Buffer.from(loaded.source).toString() + statement }
}`

/** Takes effect once in a process, however many copies of this package ask for it. */
export function watchLoading(): void {
  if (shared[KEY]) return
  shared[KEY] = take
  const node = process.getBuiltinModule('node:module')
  if (typeof node.registerHooks === 'function') watchByHooks(node)
  else {
    node.register(`data:text/javascript,${encodeURIComponent(HOOKS_THREAD)}`)
    watchCompiling(node)
  }
}

function watchByHooks({ registerHooks }: NodeModule): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const { format, source } = loaded
      if (source == null || !mainFile.test(url)) return loaded
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
      if (format === 'module')
        return { ...loaded, source: text + OF_MODULE.replaceAll('$URL', () => JSON.stringify(url)) }
      return format === 'commonjs' ? { ...loaded, source: text + OF_SCRIPT } : loaded
    },
  })
}

type NodeModule = typeof import('node:module')

interface Script {
  exports: unknown
}
type Compile = (this: Script, content: string, filename: string, ...rest: unknown[]) => unknown

function watchCompiling({ Module }: NodeModule): void {
  const prototype = Module.prototype as unknown as { _compile?: Compile }
  const original = prototype._compile
  if (typeof original !== 'function') return
  prototype._compile = function _compile(content, filename, ...rest) {
    const result = original.call(this, content, filename, ...rest)
    if (mainFile.test(filename)) take(this.exports, filename)
    return result
  }
}

/** Called from within an SDK's own main file, when all of it has run. */
function take(namespace: unknown, location: string): void {
  if (typeof namespace !== 'object' && typeof namespace !== 'function') return
  if (namespace === null) return
  const path = location.startsWith('file:') ? process.getBuiltinModule('node:url').fileURLToPath(location) : location
  const folder = mainFile.exec(path)?.[1]?.replaceAll('\\', '/')
  const sdk = (Object.keys(PACKAGES) as SdkName[]).find((name) => PACKAGES[name] === folder)
  const isModule = Object.prototype.toString.call(namespace) === '[object Module]'
  if (sdk) noteLoaded({ sdk, path, format: isModule ? 'esm' : 'cjs', namespace })
}
