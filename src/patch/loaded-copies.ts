// The copies of SDKs that were seen while Node loaded them: `tallygate/register` notes them here, patches look here.

import type { SdkName } from './exchange.ts'

/** One build of an SDK, as it was loaded. */
export interface SeenCopy {
  readonly sdk: SdkName
  readonly path: string
  readonly format: 'esm' | 'cjs'
  readonly namespace: object
}

type Listener = (copy: SeenCopy) => void

// Shared by every copy of this package in the process: one registers, another may patch.
const KEY = Symbol.for('tallygate.loaded')
interface Shared {
  readonly copies: SeenCopy[]
  readonly listeners: Set<Listener>
}
const registry = globalThis as { [KEY]?: Shared }
const shared: Shared = (registry[KEY] ??= { copies: [], listeners: new Set() })

/**
 * Those of one SDK that were loaded so far; none where nothing watches what is loaded. A `client` file is named only
 * where the main file beside it was not loaded, which has the same class.
 */
export function loadedCopies(sdk: SdkName): readonly SeenCopy[] {
  const copies = shared.copies.filter((copy) => copy.sdk === sdk)
  const paths = new Set(copies.map(({ path }) => path))
  return copies.filter(({ path }) => !isClientFile(path) || !paths.has(path.replace(/client(?=\.\w+$)/, 'index')))
}

/** Packages built on an SDK may load this instead of its main file; in some versions it has no class. */
export function isClientFile(path: string): boolean {
  return /[\\/]client\.\w+$/.test(path)
}

/** Hands over the copies of the SDKs that are followed: those that were loaded, and each further one before the module that asked for it goes on. */
export function createFollowing(take: Listener) {
  const followed = new Set<string>()
  const listener: Listener = (copy) => {
    if (followed.has(copy.sdk)) take(copy)
  }
  return {
    begin(sdk: SdkName): void {
      if (followed.has(sdk)) return
      followed.add(sdk)
      shared.listeners.add(listener)
      for (const copy of loadedCopies(sdk)) take(copy)
    },
    end(name: string): void {
      followed.delete(name)
      if (followed.size === 0) shared.listeners.delete(listener)
    },
    names: (): ReadonlySet<SdkName> => followed as Set<SdkName>,
  }
}

/** Never throws: an SDK must load whatever becomes of us. */
export function noteLoaded(copy: SeenCopy): void {
  if (shared.copies.some(({ namespace }) => namespace === copy.namespace)) return
  shared.copies.push(copy)
  for (const listener of shared.listeners) {
    try {
      listener(copy)
    } catch {
      // A listener reports its own faults; `raiseOnError` would raise them in the middle of somebody's import.
    }
  }
}
