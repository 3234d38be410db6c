// Finding every copy of an SDK that the application can load: its ESM and its CJS build are different classes.

import type { SdkName } from './exchange.ts'

const PACKAGES: Readonly<Record<SdkName, string>> = {
  openai: 'openai',
  anthropic: '@anthropic-ai/sdk',
  google: '@google/genai',
}

/** One loaded build of an SDK. */
export interface LoadedCopy {
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly version: string | undefined
  readonly namespace: Record<string, unknown>
}

/** A build that is there and could not be loaded, with the reason for a person. */
export interface UnloadedCopy {
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly reason: string
}

export interface Located {
  readonly packageName: string
  readonly loaded: readonly LoadedCopy[]
  readonly unloaded: readonly UnloadedCopy[]
}

/**
 * Loads both builds of an SDK, synchronously, from wherever the application can resolve it: its main script and its
 * working directory. Never throws; an SDK that is not installed gives no copies.
 */
export function locate(sdk: SdkName): Located {
  const packageName = PACKAGES[sdk]
  const loaded: LoadedCopy[] = []
  const unloaded: UnloadedCopy[] = []
  const seen = new Set<string>()
  for (const base of bases()) {
    const require = base.require
    let cjs: string
    try {
      cjs = require.resolve(packageName)
    } catch {
      continue
    }
    for (const path of [cjs, esmTwin(cjs)]) {
      if (seen.has(path) || !base.exists(path)) continue
      seen.add(path)
      const format = path.endsWith('.mjs') ? 'esm' : 'cjs'
      const version = base.version(path, packageName)
      // `require` of an ES module gives the very instance that `import` gives, from Node 20.19 and 22.12 on.
      if (format === 'esm' && !process.features.require_module) {
        unloaded.push({ path, format, reason: `Node ${process.versions.node} cannot require an ES module` })
        continue
      }
      try {
        loaded.push({ path, format, version, namespace: require(path) as Record<string, unknown> })
      } catch (error) {
        unloaded.push({ path, format, reason: (error as { code?: string }).code ?? (error as Error).name })
      }
    }
  }
  return { packageName, loaded, unloaded }
}

/** openai and anthropic: `index.js` beside `index.mjs`. genai: `dist/node/index.cjs` beside `dist/node/index.mjs`. */
function esmTwin(path: string): string {
  return path.replace(/\.c?js$/, '.mjs')
}

interface Base {
  readonly require: NodeJS.Require
  exists(path: string): boolean
  version(path: string, packageName: string): string | undefined
}

function bases(): Base[] {
  const { createRequire } = process.getBuiltinModule('node:module')
  const { existsSync, readFileSync, realpathSync } = process.getBuiltinModule('node:fs')
  const { dirname, join } = process.getBuiltinModule('node:path')
  const froms = [join(process.cwd(), 'index.js')]
  const main = process.argv[1]
  if (main && existsSync(main)) froms.unshift(realpathSync(main))
  return froms.map((from) => ({
    require: createRequire(from),
    exists: existsSync,
    /** Read from the file system: @google/genai does not export its package.json. */
    version(path, packageName) {
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
    },
  }))
}
