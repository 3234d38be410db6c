// What a meter says of itself to the sinks that keep it: once a minute while something changes, and at the end. Never on the path of a call.

import { after } from '../delivery/timer.ts'
import { eventId } from '../event.ts'
import type { Problem, ProblemReporter } from '../problems.ts'
import type { ReportedProblem } from '../sinks/meter-report.ts'
import type { Sink } from '../sinks/sink.ts'
import { runAsNobody } from '../tenant.ts'
import { createRefusals } from './refusals.ts'
import type { MeterStats } from './stats.ts'

export interface ReportsSetup {
  readonly sinks: readonly Sink[]
  readonly appName?: string | undefined
  readonly environment?: string | undefined
  readonly stats: () => Pick<MeterStats, 'calls' | 'errors' | 'refused' | 'delivery' | 'coverage'>
  readonly problems: () => ProblemReporter
}

export interface Reports {
  /** Something has happened that the next report tells. */
  touch(): void
  refused(error: unknown, tenantId: string | undefined): void
  problem(problem: Problem): void
  /** The last report, where there is something to say; until the signal says that the time is over. */
  end(signal: AbortSignal): Promise<void>
}

const EVERY_MS = 60_000
/** As with events, one failure is nobody's business. */
const FAILURES_TO_SAY_SO = 3
const FAILING = 'delivery:reports'
const MOST_PROBLEMS = 20

/** Reports nothing, and counts nothing, where no sink keeps reports. */
export function createReports({ sinks, appName, environment, stats, problems: reporter }: ReportsSetup): Reports {
  const takers = sinks.filter(({ report }) => report !== undefined)
  const refusals = createRefusals()
  const problems: ReportedProblem[] = []
  const startedAt = Date.now()
  let meterId: string | undefined
  let sequence = 0
  let failures = 0
  let hasNews = false
  let isOver = false
  let cancel: (() => void) | undefined
  let telling: Promise<unknown> = Promise.resolve()
  /** Aborts whatever is under way when the time of the last report is over. */
  const ending = new AbortController()

  function touch(): void {
    hasNews = true
    if (takers.length > 0) arm()
  }

  function arm(): void {
    if (isOver) return
    cancel ??= runAsNobody(() => after(EVERY_MS, () => void tell(false)))
  }

  function disarm(): void {
    cancel?.()
    cancel = undefined
  }

  /** One after the other, so that none is overtaken by the one before it. */
  function tell(isEnded: boolean): Promise<void> {
    const turn = telling.then(() => tellNow(isEnded)).catch(failed)
    telling = turn
    return turn
  }

  async function tellNow(isEnded: boolean): Promise<void> {
    disarm()
    if (ending.signal.aborted) return
    hasNews = false
    // With the first of them: most processes that import this never come to one.
    const { isKept, makeReport } = await import('./report-making.ts')
    const said = { ...stats(), meterId: (meterId ??= eventId(startedAt)), sequence: ++sequence, startedAt, isEnded }
    const report = makeReport({ ...said, appName, environment, problems, refusals: refusals.untold() })
    const kept = await Promise.all(takers.map((sink) => isKept(sink, report, ending.signal)))
    const hasFailed = kept.includes('failed')
    if (!hasFailed && kept.includes('kept')) refusals.told(report.refusals)
    failures = hasFailed ? failures + 1 : 0
    if (failures === FAILURES_TO_SAY_SO) complain(takers[kept.indexOf('failed')]!.name)
    if (!hasFailed) reporter().clear(FAILING)
    // What waits is worth a look until it waits no more, though nothing else happens.
    if (hasFailed || report.waiting > 0) arm()
  }

  function complain(name: string): void {
    const message = `What this meter says of itself is not kept by ${name}; its events are another matter.`
    say({ kind: 'delivery', message }, FAILING)
  }

  function failed(cause: unknown): void {
    say({ kind: 'internal', message: 'A meter failed to say how it is.', cause }, 'internal:reports')
  }

  function say(problem: Problem, key: string): void {
    try {
      reporter().report(problem, key)
    } catch {
      // `raiseOnError`: this runs in a timer, where there is no caller to throw at.
      process.emitWarning(problem.message, { type: 'TallygateWarning', code: problem.kind })
    }
  }

  return {
    touch,
    refused(error, tenantId) {
      if (takers.length === 0) return
      refusals.add(error, tenantId)
      touch()
    },
    problem({ kind, message }) {
      if (takers.length === 0) return
      problems.push({ kind, at: Date.now(), message })
      if (problems.length > MOST_PROBLEMS) problems.shift()
      // Before the first call there is nothing to report of: the first call begins it.
      hasNews = true
      if (sequence > 0) arm()
    },
    async end(signal) {
      const hasBegun = sequence > 0 || cancel !== undefined
      const isSaid = isOver && !hasNews
      isOver = true
      disarm()
      if (!hasBegun || isSaid) return
      if (signal.aborted) ending.abort()
      else signal.addEventListener('abort', () => ending.abort(), { once: true })
      await tell(true)
    },
  }
}
