// Which copies are patched, for whom: one patch a copy, however many meters and copies of this package share it.

import { MeterError } from '../errors.ts'
import type { Observer, SdkName } from './exchange.ts'
import { locate } from './locate.ts'
import { SDK_NAMES, SDKS, sdkOfClient } from './sdks.ts'

/** What `patch` found and did. */
export interface PatchReport {
  /** One entry an SDK asked for. */
  readonly sdks: readonly SdkReport[]
}

export interface SdkReport {
  readonly sdk: SdkName
  /** `not-installed`: the application cannot resolve it. `partial`: some copy could not be patched, see `copies`. */
  readonly status: 'patched' | 'partial' | 'failed' | 'not-installed'
  readonly copies: readonly CopyReport[]
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

interface Patched {
  readonly observers: Observer[]
  readonly undo: () => void
}

// Shared by every copy of this package in the process, so that two of them patch an SDK once and count a call once.
const KEY = Symbol.for('tallygate.patches')
const shared = globalThis as { [KEY]?: WeakMap<object, Patched> }
const patched = (shared[KEY] ??= new WeakMap<object, Patched>())

/** The patches of one meter. The first observer of a copy sees its calls; when it leaves, the next one does. */
export interface Patches {
  patch(sdk: SdkName, modules?: readonly unknown[]): SdkReport
  patchAll(sdks?: readonly SdkName[]): PatchReport
  wrap<C extends object>(client: C): C
  unpatch(sdk: SdkName): void
  unpatchAll(): void
}

export function createPatches(observer: Observer): Patches {
  /** Held weakly: a client that was wrapped for one request must be collected like any other. */
  const joined = new Map<SdkName, Set<WeakRef<object>>>()
  const collected = new FinalizationRegistry<() => void>((forget) => forget())

  function join(sdk: SdkName, target: object, patch: (current: () => Observer | undefined) => () => void): void {
    let entry = patched.get(target)
    if (!entry) {
      const observers: Observer[] = []
      entry = { observers, undo: patch(() => observers[0]) }
      patched.set(target, entry)
    }
    const { observers } = entry
    if (observers.includes(observer)) return
    if (observers.length > 0)
      observer.problem(
        `Another meter in this process sees the calls of ${sdk} already: this one sees none, and its limits do not hold, until that one is closed.`,
      )
    observers.push(observer)
    let targets = joined.get(sdk)
    if (!targets) joined.set(sdk, (targets = new Set()))
    const reference = new WeakRef(target)
    targets.add(reference)
    collected.register(target, () => targets.delete(reference))
  }

  function leave(target: object): void {
    const entry = patched.get(target)
    const at = entry?.observers.indexOf(observer) ?? -1
    if (!entry || at < 0) return
    entry.observers.splice(at, 1)
    if (entry.observers.length > 0) return
    entry.undo()
    patched.delete(target)
  }

  function patchModule(sdk: SdkName, module: unknown, found: Omit<CopyReport, 'isPatched' | 'reason'>): CopyReport {
    try {
      join(sdk, SDKS[sdk].target(module), (current) => SDKS[sdk].patch(module, current))
      return { ...found, isPatched: true }
    } catch (error) {
      const reason = error instanceof MeterError ? error.message : `patching failed: ${(error as Error).name}`
      observer.problem(`A copy of ${sdk} could not be patched, its calls are not metered: ${reason}`, error)
      return { ...found, isPatched: false, reason }
    }
  }

  function patch(sdk: SdkName, modules?: readonly unknown[]): SdkReport {
    const copies: CopyReport[] = []
    if (modules) {
      for (const module of modules)
        copies.push(patchModule(sdk, module, { path: undefined, format: 'given', version: undefined }))
    } else {
      const { loaded, unloaded } = locate(sdk)
      for (const { namespace, path, format, version } of loaded)
        copies.push(patchModule(sdk, namespace, { path, format, version }))
      for (const copy of unloaded) {
        copies.push({ ...copy, version: undefined, isPatched: false })
        observer.problem(
          `The ${copy.format} build of ${sdk} could not be loaded for patching (${copy.reason}): hand the class over with \`meter.patch('${sdk}', { modules: [...] })\`.`,
        )
      }
    }
    const done = copies.filter((copy) => copy.isPatched).length
    const status =
      copies.length === 0 ? 'not-installed' : done === copies.length ? 'patched' : done > 0 ? 'partial' : 'failed'
    return { sdk, status, copies }
  }

  function unpatch(sdk: SdkName): void {
    for (const reference of [...(joined.get(sdk) ?? [])].reverse()) {
      const target = reference.deref()
      if (target) leave(target)
    }
    joined.delete(sdk)
  }

  return {
    patch,
    patchAll: (sdks = SDK_NAMES) => ({ sdks: sdks.map((sdk) => patch(sdk)) }),
    wrap(client) {
      const sdk = sdkOfClient(client)
      if (!sdk)
        throw new MeterError(
          'BAD_INPUT',
          'Expected `client` to be a client of openai, @anthropic-ai/sdk or @google/genai.',
        )
      const target = sdk === 'google' ? (client as unknown as { apiClient: object }).apiClient : client
      join(sdk, target, (current) => SDKS[sdk].patchClient(client, current))
      return client
    },
    unpatch,
    unpatchAll() {
      for (const sdk of [...joined.keys()]) unpatch(sdk)
    },
  }
}
