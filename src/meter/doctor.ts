// What is patched and what is not, and what went past the meter: the report of `meter.doctor()` and `tallygate doctor`.

import type { Observer, SdkName } from '../patch/exchange.ts'
import { installedCopies, PACKAGES } from '../patch/locate.ts'
import { type CopyReport, createPatches, type PatchReport } from '../patch/patches.ts'
import { SDK_NAMES } from '../patch/sdks.ts'
import { type Support, supportOf, testedRange } from '../patch/tested-versions.ts'
import { adviceFor } from './advice.ts'
import type { HostCoverage } from './coverage.ts'

/** What `meter.doctor()` finds. */
export interface DoctorReport {
  readonly node: string
  /** The SDKs that have a patch; one without `copies` is not installed. */
  readonly sdks: readonly SdkDiagnosis[]
  /** Billable requests to known hosts, by host, since the meter first patched something. */
  readonly coverage: Readonly<Record<string, HostCoverage>>
  /** What to do, in sentences; empty where nothing is left to do. */
  readonly advice: readonly string[]
}

export interface SdkDiagnosis {
  readonly sdk: SdkName
  readonly packageName: string
  /** The versions that the patches were tried with: `4.0 to 7.57`. */
  readonly tested: string
  readonly copies: readonly CopyDiagnosis[]
}

export interface CopyDiagnosis extends CopyReport {
  /** `older` and `newer`: outside of the versions that the patches were tried with. */
  readonly support: Support
}

const NOT_ASKED = 'nothing has patched it: call `meter.patchAll()`'

/** `stands`: what is patched by now. */
export function diagnose(
  stands: PatchReport,
  coverage: Readonly<Record<string, HostCoverage>>,
  folder?: string,
): DoctorReport {
  const reports = new Map<string, readonly CopyReport[]>(stands.sdks.map(({ sdk, copies }) => [sdk, copies]))
  const sdks = SDK_NAMES.map((sdk): SdkDiagnosis => {
    const known = reports.get(sdk) ?? []
    const isKnown = new Set(known.map(({ path }) => path))
    const others = installedCopies(sdk, folder)
      .filter(({ path }) => !isKnown.has(path))
      .map((copy): CopyReport => ({ ...copy, isPatched: false, reason: NOT_ASKED }))
    const copies = [...known, ...others].map((copy) => ({ ...copy, support: supportOf(sdk, copy.version) }))
    return { sdk, packageName: PACKAGES[sdk], tested: testedRange(sdk), copies }
  })
  const found = new Set(sdks.flatMap(({ packageName, copies }) => (copies.length > 0 ? [packageName] : [])))
  const isMissing = Object.values(coverage).some(({ seen, metered }) => seen > metered)
  const advice = [
    ...adviceOn(sdks),
    ...adviceOnFetch(stands),
    ...adviceOf(coverage),
    ...adviceFor(folder ?? process.cwd(), { found, isMissing }),
  ]
  return { node: process.versions.node, sdks, coverage, advice }
}

/** What `patchAll()` would reach for an application in `folder`: it is tried and undone, and nothing is called. */
export function examine(folder: string): DoctorReport {
  const observer: Observer = {
    capture: () => undefined,
    knowsHost: () => false,
    begin: () => undefined,
    resume: (_, fn) => fn(),
    problem: () => undefined,
  }
  const patches = createPatches(observer, folder)
  patches.patchAll()
  const report = patches.report()
  patches.unpatchAll()
  return diagnose(report, {}, folder)
}

function* adviceOn(sdks: readonly SdkDiagnosis[]): Generator<string> {
  for (const { sdk, packageName, tested, copies } of sdks) {
    const beyond = new Set(
      copies.filter(({ support }) => support === 'newer' || support === 'older').map((it) => it.version),
    )
    if (beyond.size > 0)
      yield `${packageName} ${[...beyond].join(' and ')} is outside of the versions that were tried (${tested}): its seams were found where the table says patched.`
    for (const [reason, count] of reasonsOf(copies)) {
      const some = count === 1 ? 'A copy' : `${count} copies`
      const rest = `hand over its class with \`meter.patch('${sdk}', { modules: [...] })\` as soon as it is loaded, or its clients to \`meter.wrap(client)\`; docs/loading.md of the package says more.`
      yield `${some} of ${packageName} could not be patched, and only calls through \`fetch\` are metered: ${reason.replace(/\.$/, '')}. Where that is not enough, ${rest}`
    }
  }
}

/** Of copies that could not be patched, how many for each reason. */
function reasonsOf(copies: readonly CopyDiagnosis[]): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>()
  for (const { isPatched, reason = 'no reason is known' } of copies)
    if (!isPatched && reason !== NOT_ASKED) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  return reasons
}

function* adviceOnFetch({ sdks }: PatchReport): Generator<string> {
  for (const { sdk, status, reason } of sdks)
    if (sdk === 'fetch' && status === 'failed')
      yield `\`globalThis.fetch\` could not be patched, so calls that no SDK patch sees are not metered: ${reason?.replace(/\.$/, '')}. Call \`meter.patchAll()\` before whatever makes it read-only.`
}

function* adviceOf(coverage: Readonly<Record<string, HostCoverage>>): Generator<string> {
  for (const [host, { seen, metered }] of Object.entries(coverage))
    if (seen > metered)
      yield `${seen - metered} of ${seen} requests to ${host} went past the meter: some code has a copy of an SDK that is not patched, a client on node:http, or a \`fetch\` from before it was patched.`
}
