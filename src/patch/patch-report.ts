// What patching found and did, copy by copy: what `patchAll()` gives, and what stands when the doctor asks.

import type { SdkName } from './exchange.ts'

/** What can be patched: an SDK, or `fetch` itself, below everything that has no patch of its own. */
export type PatchName = SdkName | 'fetch'

/** What `patch` found and did. */
export interface PatchReport {
  /** One entry an SDK asked for. */
  readonly sdks: readonly SdkReport[]
}

export interface SdkReport {
  readonly sdk: PatchName | 'langchain'
  /** The only one, or one of the few, whose calls are metered, where a provider was asked for and no SDK. */
  readonly provider?: string
  /** `not-installed`: the application cannot resolve it. `partial`: some copy could not be patched, see `copies`. */
  readonly status: 'patched' | 'partial' | 'failed' | 'not-installed'
  readonly copies: readonly CopyReport[]
  /** Why `fetch` is not patched, for a person; of an SDK each copy has its own. */
  readonly reason?: string
}

export interface CopyReport {
  /** Where it was found; `undefined` for a module that the application handed over. */
  readonly path: string | undefined
  readonly format: 'esm' | 'cjs' | 'given'
  readonly version: string | undefined
  readonly isPatched: boolean
  /** Why it is not, for a person. */
  readonly reason?: string
}

export function statusOf(copies: readonly CopyReport[]): SdkReport['status'] {
  const done = copies.filter((copy) => copy.isPatched).length
  if (copies.length === 0) return 'not-installed'
  return done === copies.length ? 'patched' : done > 0 ? 'partial' : 'failed'
}

/** Remembers the last word on each copy. */
export function createReport() {
  /** By path; those that were handed over by number. */
  const found = new Map<PatchName, Map<string | number, CopyReport>>()
  let netFault: SdkReport | undefined
  return {
    /** `reason`: why `fetch` could not be patched. */
    noteNet(reason?: string): SdkReport {
      if (reason === undefined) netFault = undefined
      else netFault = { sdk: 'fetch', status: 'failed', copies: [], reason }
      return netFault ?? { sdk: 'fetch', status: 'patched', copies: [] }
    },
    note(sdk: PatchName, copy: CopyReport): CopyReport {
      let copies = found.get(sdk)
      if (!copies) found.set(sdk, (copies = new Map()))
      copies.set(copy.path ?? copies.size, copy)
      return copy
    },
    forget(sdk: PatchName, path?: string): void {
      if (sdk === 'fetch') netFault = undefined
      if (path === undefined) found.delete(sdk)
      else found.get(sdk)?.delete(path)
    },
    names: () => found.keys(),
    whole(): PatchReport {
      const sdks = [...found].map(([sdk, byPlace]): SdkReport => {
        const copies = [...byPlace.values()]
        return { sdk, status: statusOf(copies), copies }
      })
      return { sdks: netFault ? [...sdks, netFault] : sdks }
    },
  }
}
