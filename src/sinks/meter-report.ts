// What a meter says of itself from time to time, for whoever looks after it: how far delivery is behind, what went past it, whom limits refused.

import type { LimitWindow, RefusalCode } from '../errors.ts'
import { timeIn } from '../event.ts'

/** The version of a report on the wire; fields are only ever added to one. */
export const REPORT_VERSION = 1

/**
 * A meter's report of itself: small, bounded, and without the name of a tenant but in `refusals`. Its counts run from the
 * start of the meter, so that one that comes twice, late or not at all changes nothing. Times are epoch milliseconds.
 */
export interface MeterReport {
  /** Random, one for each `Meter`. */
  readonly meterId: string
  /** From 1 on: of two reports of a meter the larger one is the newer. */
  readonly sequence: number
  readonly at: number
  readonly startedAt: number
  /** The meter was closed, or its process came to its end. */
  readonly isEnded: boolean
  readonly appName?: string | undefined
  readonly environment?: string | undefined
  readonly hostName: string
  readonly pid: number
  /** Of this package. */
  readonly version: string
  readonly nodeVersion: string
  readonly calls: number
  readonly errors: number
  readonly refused: number
  /** Events that are neither delivered nor given up, of all sinks together. */
  readonly waiting: number
  /** Since when the oldest of them waits; absent where none does. */
  readonly waitingSince?: number | undefined
  /** Events that were given up for want of room. */
  readonly lost: number
  /** Events that a sink has refused for good. */
  readonly deadLetters: number
  /** Hosts whose calls went past the meter; most calls first. */
  readonly unmetered: readonly UnmeteredHost[]
  /** The latest, oldest first. */
  readonly problems: readonly ReportedProblem[]
  /** Those that are not known to have been kept yet. */
  readonly refusals: readonly RefusedCalls[]
  /** Whose key it came under: set by the server that takes it, and not on the wire. */
  readonly project?: string | undefined
}

export interface UnmeteredHost {
  /** `null`: all further ones together. */
  readonly host: string | null
  /** Billable calls that no meter has. */
  readonly calls: number
  /** POSTs to paths of which nobody knows whether they are billed. */
  readonly unknown: number
}

export interface ReportedProblem {
  readonly kind: string
  readonly at: number
  readonly message: string
}

/** Calls of one minute that one limit has refused: the sum so far, never a difference. */
export interface RefusedCalls {
  /** Where the minute begins. */
  readonly at: number
  /** `null`: nobody's. */
  readonly tenantId: string | null
  /** The limit by its canonical name, `tenant=acme&user=u1`; `null` where it was none that refused. */
  readonly scope: string | null
  readonly window: LimitWindow | null
  readonly code: RefusedCode
  readonly calls: number
}

/** `OTHERS`: of more limits and tenants than one report tells apart. */
export type RefusedCode = RefusalCode | 'MISSING_TENANT' | 'OTHERS'

export type WireReport = Readonly<Record<string, unknown>>

/** As it is sent and stored. */
export function toWireReport(report: MeterReport): WireReport {
  const { meterId, appName, environment, hostName, nodeVersion, waitingSince, problems, refusals } = report
  return {
    version: REPORT_VERSION,
    meter_id: meterId,
    sequence: report.sequence,
    at: isoOf(report.at),
    started_at: isoOf(report.startedAt),
    ended: report.isEnded,
    ...(appName !== undefined && { app_name: appName }),
    ...(environment !== undefined && { environment }),
    host_name: hostName,
    pid: report.pid,
    tallygate: report.version,
    node: nodeVersion,
    calls: report.calls,
    errors: report.errors,
    refused: report.refused,
    waiting: report.waiting,
    ...(waitingSince !== undefined && { waiting_since: isoOf(waitingSince) }),
    lost: report.lost,
    dead_letters: report.deadLetters,
    unmetered: report.unmetered,
    problems: problems.map(({ kind, at, message }) => ({ kind, at: isoOf(at), message })),
    refusals: refusals.map(({ at, tenantId, ...rest }) => ({ at: isoOf(at), tenant_id: tenantId, ...rest })),
  }
}

interface Read {
  readonly [name: string]: unknown
  readonly problems?: readonly { readonly kind: string; readonly at: string; readonly message: string }[]
  readonly refusals?: readonly (Omit<RefusedCalls, 'at' | 'tenantId'> & {
    readonly at: string
    readonly tenant_id?: string | null
  })[]
}

/** Back from what was checked when it came. */
export function fromWireReport(wire: WireReport): MeterReport {
  const { problems = [], refusals = [], ...rest } = wire as Read
  const text = (name: string) => (rest[name] ?? undefined) as string | undefined
  const count = (name: string) => (rest[name] ?? 0) as number
  const since = text('waiting_since')
  return {
    meterId: text('meter_id')!,
    sequence: count('sequence'),
    at: timeIn(text('at')!),
    startedAt: timeIn(text('started_at')!),
    isEnded: rest['ended'] === true,
    ...(text('app_name') !== undefined && { appName: text('app_name') }),
    ...(text('environment') !== undefined && { environment: text('environment') }),
    hostName: text('host_name') ?? '',
    pid: count('pid'),
    version: text('tallygate') ?? '',
    nodeVersion: text('node') ?? '',
    calls: count('calls'),
    errors: count('errors'),
    refused: count('refused'),
    waiting: count('waiting'),
    ...(since !== undefined && { waitingSince: timeIn(since) }),
    lost: count('lost'),
    deadLetters: count('dead_letters'),
    unmetered: (rest['unmetered'] ?? []) as readonly UnmeteredHost[],
    problems: problems.map(({ kind, at, message }) => ({ kind, at: timeIn(at), message })),
    refusals: refusals.map(({ at, tenant_id, scope, window, code, calls }) => ({
      at: timeIn(at),
      tenantId: tenant_id ?? null,
      scope: scope ?? null,
      window: window ?? null,
      code,
      calls,
    })),
  }
}

function isoOf(at: number): string {
  return new Date(at).toISOString()
}

/** How many calls went past the meter, of all hosts together. */
export function unmeteredCalls({ unmetered }: Pick<MeterReport, 'unmetered'>): number {
  return unmetered.reduce((sum, { calls }) => sum + calls, 0)
}

/** Of a meter that was not heard of for so long nothing is kept: every start of a process is a meter of its own. */
export const FORGOTTEN_AFTER_MS = 30 * 86_400_000
