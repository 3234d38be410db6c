// One report of a meter: what stands in it, within bounds and without names, and one sink that is told of it.

import { after } from '../delivery/timer.ts'
import type { MeterReport, ReportedProblem, UnmeteredHost } from '../sinks/meter-report.ts'
import type { Sink } from '../sinks/sink.ts'
import { runAsNobody } from '../tenant.ts'
import type { HostCoverage } from './coverage.ts'
import type { MeterStats } from './stats.ts'
import { VERSION } from './version.ts'

export type Said = Pick<MeterReport, 'meterId' | 'sequence' | 'startedAt' | 'isEnded' | 'appName' | 'environment'> &
  Pick<MeterReport, 'refusals'> &
  Pick<MeterStats, 'calls' | 'errors' | 'refused' | 'delivery' | 'coverage'> & {
    readonly problems: readonly ReportedProblem[]
  }

const PATIENCE_MS = 30_000
const MOST_HOSTS = 50
const LONGEST_TEXT = 500

export function makeReport({ delivery, coverage, appName, environment, problems, ...said }: Said): MeterReport {
  const { queued, queuedSince, dropped, rejected } = delivery
  return {
    ...said,
    at: Date.now(),
    ...(appName !== undefined && { appName: plain(appName) }),
    ...(environment !== undefined && { environment: plain(environment) }),
    hostName: plain(process.getBuiltinModule('node:os').hostname()),
    pid: process.pid,
    version: VERSION,
    nodeVersion: process.versions.node,
    waiting: queued,
    ...(queuedSince !== undefined && { waitingSince: queuedSince }),
    lost: dropped,
    deadLetters: rejected,
    unmetered: unmeteredIn(coverage),
    problems: problems.map((problem) => ({ ...problem, message: plain(withoutNames(problem)) })),
  }
}

/** A sink that does not heed its signal must not hold up the next report, or the end. */
export async function isKept(
  sink: Sink,
  report: MeterReport,
  over: AbortSignal,
): Promise<'kept' | 'not taken' | 'failed'> {
  if (over.aborted) return 'failed'
  const controller = new AbortController()
  const stop = () => controller.abort()
  const cancel = after(PATIENCE_MS, stop)
  over.addEventListener('abort', stop, { once: true })
  const broken = new Promise<'failed'>((resolve) => {
    controller.signal.addEventListener('abort', () => resolve('failed'), { once: true })
  })
  try {
    const told = runAsNobody(() => sink.report!(report, controller.signal))
    return await Promise.race([told.then((isKept) => (isKept ? 'kept' : 'not taken')), broken])
  } catch {
    return 'failed'
  } finally {
    cancel()
    over.removeEventListener('abort', stop)
  }
}

function unmeteredIn(coverage: Readonly<Record<string, HostCoverage>>): UnmeteredHost[] {
  const hosts = Object.entries(coverage)
    .map(([host, { seen, metered, unknown = 0 }]) => ({ host: plain(host), calls: seen - metered, unknown }))
    .filter(({ calls, unknown }) => calls > 0 || unknown > 0)
    .sort((a, b) => b.calls - a.calls || b.unknown - a.unknown)
  if (hosts.length <= MOST_HOSTS) return hosts
  const rest = hosts.slice(MOST_HOSTS)
  const sum = (of: 'calls' | 'unknown') => rest.reduce((total, host) => total + host[of], 0)
  return [...hosts.slice(0, MOST_HOSTS), { host: null, calls: sum('calls'), unknown: sum('unknown') }]
}

/** What a sentence quotes of tenants, users and the like is not for others to read, and would outlive its tenant. */
function withoutNames({ kind, message }: Pick<ReportedProblem, 'kind' | 'message'>): string {
  if (kind !== 'tenant' && kind !== 'limit') return message
  return message
    .replace(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .replace(
      /\b(?:tenant|user|feature|model|session|run|organization)=.*?(?= is in the | could not | holds and |$)/g,
      '…',
    )
}

/** One line of whole characters, which every database takes. */
function plain(text: string): string {
  return text
    .slice(0, LONGEST_TEXT)
    .replace(/\p{Cc}/gu, ' ')
    .replace(/\p{Cs}/gu, '\ufffd')
}
