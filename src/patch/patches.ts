// Which copies are patched, for whom: one patch a copy, however many meters and copies of this package share it.

import { MeterError } from '../errors.ts'
import { createAsides } from './aside.ts'
import type { Observer, SdkName } from './exchange.ts'
import { fetchPlace, patchFetch } from './fetch.ts'
import { createFollowing, isClientFile, loadedCopies, type SeenCopy } from './loaded-copies.ts'
import { type LoadedCopy, locate, PACKAGES, versionOf } from './locate.ts'
import {
  type CopyReport,
  createReport,
  type PatchName,
  type PatchReport,
  type SdkReport,
  statusOf,
} from './patch-report.ts'
import { SDK_NAMES, SDKS, sdkOfClient } from './sdks.ts'
import { socketEmitters } from './socket-classes.ts'
import { patchSocket, patchSockets } from './sockets.ts'
import { isSocket, reasonOf, whyNotPatched } from './untouchable.ts'

export type { CopyReport, PatchName, PatchReport, SdkReport } from './patch-report.ts'

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
  patch(sdk: PatchName, modules?: readonly unknown[]): SdkReport
  patchAll(sdks?: readonly PatchName[]): PatchReport
  wrap<C extends object>(client: C): C
  /** `isLetGo`: what goes through this SDK shall go past the net too, where that is up. */
  unpatch(sdk: PatchName, isLetGo?: boolean): void
  /** One of the copies that were located. */
  patchCopy(sdk: SdkName, copy: LoadedCopy): CopyReport
  unpatchCopy(sdk: SdkName, copy: LoadedCopy): void
  unpatchAll(): void
  /**
   * Patches copies as they load, and those that were seen loading already, for as long as no other observer sees their
   * calls: for `tallygate/register`, which has a meter before the application has one.
   */
  standIn(sdks?: readonly PatchName[]): void
  /** What stands patched, and what could not be. */
  report(): PatchReport
}

/** `folder`: where the application stands, if not where this process does. */
export function createPatches(watching: Observer, folder?: string): Patches {
  const observer: Observer & { isStandIn: boolean } = { ...watching, isStandIn: false }
  /** Held weakly: a client that was wrapped for one request must be collected like any other. */
  const joined = new Map<PatchName, Set<WeakRef<object>>>()
  const collected = new FinalizationRegistry<() => void>((forget) => forget())
  const following = createFollowing((copy) => void patchSeen(copy))
  const report = createReport()
  /** Those with a copy that could not be patched, whose calls `fetch` is watched for. */
  const netted = new Set<PatchName>()
  let isNetAsked = false
  const asides = createAsides()

  function join(sdk: PatchName, target: object, patch: (current: () => Observer | undefined) => () => void): void {
    asides.take(target)
    let entry = patched.get(target)
    if (!entry) {
      const observers: Observer[] = []
      entry = { observers, undo: patch(() => observers[0]) }
      patched.set(target, entry)
    }
    const { observers } = entry
    if (observers.includes(observer)) return
    const standIn = observers.findIndex(({ isStandIn }) => isStandIn)
    const before = standIn < 0 || observer.isStandIn ? observers.length : standIn
    if (before > 0 && !observer.isStandIn)
      observer.problem(
        `Another meter in this process sees the calls of ${sdk} already: this one sees none, and its limits do not hold, until that one is closed.`,
      )
    observers.splice(before, 0, observer)
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

  function patchModule(sdk: SdkName, module: unknown, copy: Omit<CopyReport, 'isPatched' | 'reason'>): CopyReport {
    try {
      const emitters = sdk === 'openai' ? socketEmitters(module, copy.path) : []
      for (const emitter of emitters) join(sdk, emitter, (current) => patchSockets(emitter, current))
      // What was handed over may be a class of sockets, and no client.
      if (emitters.length === 0 || copy.path !== undefined)
        join(sdk, SDKS[sdk].target(module), (current) => SDKS[sdk].patch(module, current))
      return report.note(sdk, { ...copy, isPatched: true })
    } catch (error) {
      const reason = whyNotPatched(sdk, module, copy.path, error)
      const left = castNet(sdk) ? 'only its calls through `fetch` are metered' : 'its calls are not metered'
      observer.problem(`A copy of ${sdk} could not be patched, ${left}: ${reason}`, error)
      return report.note(sdk, { ...copy, isPatched: false, reason })
    }
  }

  /** In place of a waist that is gone: a new major of an SDK must not fall silent. */
  function castNet(sdk: PatchName): boolean {
    netted.add(sdk)
    return patchNet().status === 'patched'
  }

  function patchSeen({ sdk, namespace, path, format }: SeenCopy): CopyReport | undefined {
    if (isClientFile(path)) {
      try {
        SDKS[sdk].target(namespace)
      } catch {
        return undefined
      }
    }
    return patchModule(sdk, namespace, { path, format, version: versionOf(path, PACKAGES[sdk]) })
  }

  function patchNet(): SdkReport {
    try {
      const place = fetchPlace()
      join('fetch', place, (current) => patchFetch(place, current))
      return report.noteNet()
    } catch (error) {
      const reason = reasonOf(error, globalThis)
      observer.problem(`\`globalThis.fetch\` could not be patched, so no call is metered by it: ${reason}`, error)
      return report.noteNet(reason)
    }
  }

  function patch(sdk: PatchName, modules?: readonly unknown[]): SdkReport {
    if (sdk === 'fetch') {
      isNetAsked = true
      asides.takeAll()
      return patchNet()
    }
    const copies: CopyReport[] = []
    if (modules) {
      for (const module of modules)
        copies.push(patchModule(sdk, module, { path: undefined, format: 'given', version: undefined }))
    } else {
      const { loaded, unloaded } = locate(sdk, folder)
      for (const { namespace, path, format, version } of loaded)
        copies.push(patchModule(sdk, namespace, { path, format, version }))
      following.begin(sdk)
      const located = new Set(copies.map(({ path }) => path))
      for (const copy of loadedCopies(sdk)) {
        const seen = located.has(copy.path) ? undefined : patchSeen(copy)
        if (seen) copies.push(seen)
      }
      for (const { isBroken, ...copy } of unloaded) {
        // Broken by its maker, as the CommonJS build of @google/genai 1.0 is: nobody else can load it either.
        if (isBroken && loaded.length > 0) continue
        copies.push(report.note(sdk, { ...copy, version: versionOf(copy.path, PACKAGES[sdk]), isPatched: false }))
        castNet(sdk)
        observer.problem(
          `The ${copy.format} build of ${sdk} could not be loaded for patching (${copy.reason}): hand the class over with \`meter.patch('${sdk}', { modules: [...] })\`.`,
        )
      }
    }
    return { sdk, status: statusOf(copies), copies }
  }

  function patchCopy(sdk: SdkName, { namespace, path, format, version }: LoadedCopy): CopyReport {
    return patchModule(sdk, namespace, { path, format, version })
  }

  /** By the application's own wish: the net, where it is up, shall not take for its own what it has let go. */
  function letGo(target: object): void {
    leave(target)
    if (joined.has('fetch') && !patched.has(target)) asides.put(target)
  }

  function unpatchCopy(sdk: SdkName, { namespace, path }: LoadedCopy): void {
    try {
      if (sdk === 'openai') for (const emitter of socketEmitters(namespace, path)) leave(emitter)
      letGo(SDKS[sdk].target(namespace))
    } catch {
      // What has no waist was never patched.
    }
    report.forget(sdk, path)
  }

  function unpatch(sdk: PatchName, isLetGo = false): void {
    for (const reference of [...(joined.get(sdk) ?? [])].reverse()) {
      const target = reference.deref()
      if (target && isLetGo) letGo(target)
      else if (target) leave(target)
    }
    joined.delete(sdk)
    if (sdk === 'fetch') asides.takeAll()
    report.forget(sdk)
    following.end(sdk)
    if (sdk === 'fetch') isNetAsked = false
    if (netted.delete(sdk) && netted.size === 0 && !isNetAsked) unpatch('fetch')
  }

  return {
    patch,
    patchAll: (sdks = SDK_NAMES) => ({ sdks: sdks.map((sdk) => patch(sdk)) }),
    wrap(client) {
      if (isSocket(client)) {
        join('openai', client, (current) => patchSocket(client, current))
        return client
      }
      const sdk = sdkOfClient(client)
      if (!sdk)
        throw new MeterError(
          'BAD_INPUT',
          'Expected `client` to be a client of openai, @anthropic-ai/sdk, @google/genai or groq-sdk.',
        )
      try {
        const target = sdk === 'google' ? (client as unknown as { apiClient: object }).apiClient : client
        join(sdk, target, (current) => SDKS[sdk].patchClient(client, current))
      } catch (error) {
        const why = reasonOf(error, client, (client as { apiClient?: unknown }).apiClient)
        observer.problem(`A client of ${sdk} could not be wrapped, its calls are not metered: ${why}`, error)
      }
      return client
    },
    patchCopy,
    unpatch,
    unpatchCopy,
    unpatchAll() {
      for (const sdk of new Set([...joined.keys(), ...report.names(), ...following.names()])) unpatch(sdk)
    },
    standIn(sdks = [...SDK_NAMES, 'fetch']) {
      observer.isStandIn = true
      if (sdks.includes('fetch')) patch('fetch')
      for (const sdk of sdks.filter((sdk) => sdk !== 'fetch')) following.begin(sdk)
    },
    report: report.whole,
  }
}
