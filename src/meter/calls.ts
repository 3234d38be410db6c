// The calls of one meter: which are under way, which wait to be read, and what is still being written down.

import { createDrift, type Drift } from '../call/drift.ts'
import { createExperience } from '../call/experience.ts'
import { createJobs, type JobStore } from '../call/jobs.ts'
import { askForMoney } from '../call/money-left.ts'
import { createOwnCounts } from '../call/own-counts.ts'
import { Call, type CallContext } from '../call.ts'
import type { Observer } from '../patch/exchange.ts'
import { stopWaitingFor } from '../patch/forgotten.ts'
import type { createRouting } from '../providers/index.ts'
import { currentPayer, type Payer, resumeAs, runAsNobody } from '../tenant.ts'

type FromMeter = Omit<
  CallContext,
  'experience' | 'drift' | 'jobs' | 'refusers' | 'unread' | 'ended' | 'keep' | 'countOwn'
>

/** What the calls need of the rest of the meter. */
export interface CallSetup extends FromMeter {
  readonly find: ReturnType<typeof createRouting>
  readonly jobStore: JobStore
  /** A call has begun. */
  started(): void
}

export interface Calls {
  readonly observer: Observer
  /** Calls that have begun and not ended. */
  readonly openCount: number
  /** See `MeterStats.tokenRatios`. */
  readonly tokenRatios: Drift['ratios']
  /** Work that `settled` waits for; `atOnce` does without waiting what is left of it when the process exits. */
  keep(work: Promise<unknown>, atOnce?: () => void): void
  /** Resolves when every call that has ended so far has its event. */
  settled(): Promise<void>
  /** Ends what is still open: answers that nobody read are read, streams that nobody finishes are estimated. */
  endAll(): Promise<void>
  /** The process exits: records what is open, and what is still being estimated, as far as it is known. Never waits. */
  recordAtOnce(): void
}

/** An answer that is still unread after this time is read on our own account. */
const UNREAD_AFTER_MS = 1000
/** A stream that is kept, and that nobody has begun to read after so many minutes, holds its money no longer. */
const UNREAD_STREAM_MINUTES = 10
const MINUTE_MS = 60_000
/** How long the end of the meter waits for such an answer. */
const UNREAD_WITHIN_MS = 1000

export function createCalls(setup: CallSetup): Calls {
  const { problems, prices } = setup
  /** With what reads the answer for us, where it waits to be read. */
  const open = new Map<Call, (() => Promise<void>) | undefined>()
  const pending = new Map<Promise<unknown>, (() => void) | undefined>()
  let sweep: ReturnType<typeof setTimeout> | undefined
  let minute: ReturnType<typeof setTimeout> | undefined

  function keep(work: Promise<unknown>, atOnce?: () => void): void {
    const kept = work
      .catch((cause: unknown) =>
        problems.report({ kind: 'internal', message: 'A call could not be recorded in full.', cause }, 'internal:keep'),
      )
      // `raiseOnError` made the report throw, and there is no caller left to throw it at.
      .catch(() => undefined)
      .finally(() => pending.delete(kept))
    pending.set(kept, atOnce)
  }

  /** Answers are read long before this as a rule; those of promises that nobody awaits are not. */
  async function readUnread(): Promise<void> {
    clearTimeout(sweep)
    sweep = undefined
    const reads: Promise<void>[] = []
    for (const [call, read] of open) {
      if (!read) continue
      open.set(call, undefined)
      reads.push(read())
    }
    await Promise.allSettled(reads)
  }

  /** One timer for all of them, which runs only while calls are open: a timer for each stream would be paid for by every one. */
  function watchStreams(): void {
    minute ??= runAsNobody(() => setTimeout(giveUpUnread, MINUTE_MS).unref())
  }

  function giveUpUnread(): void {
    minute = undefined
    for (const call of open.keys())
      if (call.isWaiting && ++call.timesUnread >= UNREAD_STREAM_MINUTES) quietly(() => call.end('unread'))
    if (open.size > 0) watchStreams()
  }

  /** A body that stalls would keep the meter from closing. */
  async function readUnreadInTime(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, UNREAD_WITHIN_MS)
    })
    await Promise.race([readUnread(), late])
    clearTimeout(timer)
  }

  /** One fault must not keep the rest from being recorded; what `raiseOnError` throws finds nobody to catch it here. */
  function quietly(record: () => void): void {
    try {
      problems.guard('internal', 'recording a call that was left', record)
    } catch {
      return
    }
  }

  async function settled(): Promise<void> {
    while (pending.size > 0) await Promise.allSettled(pending.keys())
  }

  const context: CallContext = {
    ...setup,
    countOwn: createOwnCounts(setup.kept),
    experience: createExperience(),
    drift: createDrift(problems),
    jobs: createJobs(setup.jobStore, (hold) => setup.limiter.settle(hold, 0n, setup.now()), keep),
    refusers: new Set(),
    unread(call, read) {
      open.set(call, read)
      sweep ??= setTimeout(() => void readUnread(), UNREAD_AFTER_MS).unref()
    },
    ended(call) {
      open.delete(call)
      // Spares the look into the registry for an answer that was read as a whole.
      if (call.form !== 'json' || call.isBeingRead) stopWaitingFor(call)
    },
    keep,
  }

  const observer: Observer = {
    capture: payerNow,
    ask(payer, { wire, host, path }) {
      const found = setup.find(wire, 'socket', host, path)
      if (!found) return undefined
      // The book is read while the connection opens.
      if (!prices.book) keep(prices.load())
      return askForMoney(context, payer as Payer)
    },
    knowsHost: (host) => setup.find.providerOf(host) !== undefined,
    begin(payer, request) {
      return problems.guard('internal', 'looking at a request', () => {
        const found = setup.find(request.wire, request.method, request.host, request.path)
        if (!found) return undefined
        // The book is read while the request is on its way.
        if (!prices.book) keep(prices.load())
        const call = new Call(context, payer as Payer, request, found)
        open.set(call, undefined)
        setup.started()
        watchStreams()
        return call
      })
    },
    resume: (payer, fn) => resumeAs(payer as Payer, fn),
    problem: (message, cause) => problems.report({ kind: 'patch', message, cause }, `patch:${message}`),
  }

  return {
    observer,
    get openCount() {
      return open.size
    },
    get tokenRatios() {
      return context.drift.ratios
    },
    keep,
    settled,
    async endAll() {
      clearTimeout(minute)
      minute = undefined
      await readUnreadInTime()
      for (const call of open.keys()) call.leave()
      keep(context.jobs.giveUp())
      await settled()
    },
    recordAtOnce() {
      for (const call of open.keys()) quietly(() => call.leave(true))
      quietly(() => context.jobs.giveUpAtOnce())
      for (const atOnce of pending.values()) if (atOnce) quietly(atOnce)
    },
  }
}

/** A connection is used in the name of whoever opened it, where the code that uses it runs in nobody's. */
function payerNow(earlier?: unknown): Payer {
  const payer = currentPayer()
  return payer.tenantId === undefined && earlier !== undefined ? (earlier as Payer) : payer
}
