// Finding every copy of an SDK that the application can load: its ESM and its CJS build are different classes.

import { dependantsOf } from './dependants.ts'
import type { SdkName } from './exchange.ts'

export const PACKAGES: Readonly<Record<SdkName, string>> = {
  openai: 'openai',
  anthropic: '@anthropic-ai/sdk',
  google: '@google/genai',
  groq: 'groq-sdk',
}

/** One loaded build of an SDK. */
export interface LoadedCopy {
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly version: string | undefined
  readonly namespace: Record<string, unknown>
  /** The folder from which it was found: the application's, or that of a package with a copy of its own. */
  readonly from: string
}

/** A build that is there and could not be loaded, with the reason for a person. */
export interface UnloadedCopy {
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly reason: string
  /** It threw while it ran, as it would in the application. */
  readonly isBroken: boolean
}

export interface Located {
  readonly packageName: string
  readonly loaded: readonly LoadedCopy[]
  readonly unloaded: readonly UnloadedCopy[]
}

/** A build as it lies on the disk. */
export interface InstalledCopy {
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly version: string | undefined
}

/**
 * Both builds of an SDK, from wherever the application can resolve it: its main script and its working directory, and
 * the packages that bring a copy of their own. Loads nothing. With `folder`, as an application there would find it.
 */
export function installedCopies(sdk: SdkName, folder?: string): readonly InstalledCopy[] {
  return found(sdk, folder).map(({ path, format, version }) => ({ path, format, version }))
}

function found(sdk: SdkName, folder?: string) {
  const packageName = PACKAGES[sdk]
  const copies = new Map<string, InstalledCopy & { readonly base: Base }>()
  for (const base of bases(packageName, folder)) {
    let cjs: string
    try {
      cjs = base.require.resolve(packageName)
    } catch {
      continue
    }
    for (const path of [cjs, esmTwin(cjs)]) {
      if (copies.has(path) || !base.exists(path)) continue
      const format = path.endsWith('.mjs') ? 'esm' : 'cjs'
      copies.set(path, { path, format, version: versionOf(path, packageName), base })
    }
  }
  return [...copies.values()]
}

/** Loads those copies, synchronously. Never throws; an SDK that is not installed gives none. */
export function locate(sdk: SdkName, folder?: string): Located {
  const loaded: LoadedCopy[] = []
  const unloaded: UnloadedCopy[] = []
  for (const { path, format, version, base } of found(sdk, folder)) {
    // `require` of an ES module gives the very instance that `import` gives, from Node 20.19 and 22.12 on.
    if (format === 'esm' && !process.features.require_module) {
      const reason = `Node ${process.versions.node} cannot require an ES module`
      unloaded.push({ path, format, reason, isBroken: false })
      continue
    }
    try {
      loaded.push({ path, format, version, namespace: base.require(path) as Record<string, unknown>, from: base.from })
    } catch (error) {
      const { code, name } = error as { code?: string; name: string }
      unloaded.push({ path, format, reason: code ?? name, isBroken: code === undefined })
    }
  }
  return { packageName: PACKAGES[sdk], loaded, unloaded }
}

/** openai and anthropic: `index.js` beside `index.mjs`. genai: `dist/node/index.cjs` beside `dist/node/index.mjs`. */
function esmTwin(path: string): string {
  return path.replace(/\.c?js$/, '.mjs')
}

interface Base {
  readonly from: string
  readonly require: NodeJS.Require
  exists(path: string): boolean
}

function bases(packageName: string, folder?: string): Base[] {
  const { createRequire } = process.getBuiltinModule('node:module')
  const { existsSync, realpathSync } = process.getBuiltinModule('node:fs')
  const { dirname, join } = process.getBuiltinModule('node:path')
  const folders = [folder ?? process.cwd()]
  const main = folder === undefined ? process.argv[1] : undefined
  if (main && existsSync(main)) folders.unshift(dirname(realpathSync(main)))
  const all = new Set([...folders, ...folders.flatMap((from) => dependantsOf(packageName, from))])
  return [...all].map((from) => ({
    from,
    require: createRequire(join(from, 'index.js')),
    exists: existsSync,
  }))
}

/** Read from the file system: @google/genai does not export its package.json. */
export function versionOf(path: string, packageName: string): string | undefined {
  const { existsSync, readFileSync } = process.getBuiltinModule('node:fs')
  const { dirname, join } = process.getBuiltinModule('node:path')
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) {
    const file = join(at, 'package.json')
    if (!existsSync(file)) continue
    try {
      const found = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string }
      if (found.name === packageName) return found.version
    } catch {
      return undefined
    }
  }
  return undefined
}
