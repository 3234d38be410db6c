// The calls of one meter: which are under way, which wait to be read, and what is still being written down.

import { createExperience } from '../call/estimate.ts'
import { Call, type CallContext } from '../call.ts'
import type { Observer } from '../patch/exchange.ts'
import type { createRouting } from '../providers/index.ts'
import { currentPayer, type Payer, resumeAs } from '../tenant.ts'

type FromMeter = Omit<CallContext, 'experience' | 'refusers' | 'unread' | 'ended' | 'keep'>

/** What the calls need of the rest of the meter. */
export interface CallSetup extends FromMeter {
  readonly find: ReturnType<typeof createRouting>
  /** A call has begun. */
  started(): void
}

export interface Calls {
  readonly observer: Observer
  /** Calls that have begun and not ended. */
  readonly openCount: number
  /** Work that `settled` waits for. */
  keep(work: Promise<unknown>): void
  /** Resolves when every call that has ended so far has its event. */
  settled(): Promise<void>
  /** Ends what is still open: answers that nobody read are read, streams that nobody finishes are estimated. */
  endAll(): Promise<void>
}

/** An answer that is still unread after this time is read on our own account. */
const UNREAD_AFTER_MS = 1000
/** How long the end of the meter waits for such an answer. */
const UNREAD_WITHIN_MS = 1000

export function createCalls(setup: CallSetup): Calls {
  const { problems, prices } = setup
  /** With what reads the answer for us, where it waits to be read. */
  const open = new Map<Call, (() => Promise<void>) | undefined>()
  const pending = new Set<Promise<unknown>>()
  let sweep: ReturnType<typeof setTimeout> | undefined

  function keep(work: Promise<unknown>): void {
    const kept = work
      .catch((cause: unknown) =>
        problems.report({ kind: 'internal', message: 'A call could not be recorded in full.', cause }, 'internal:keep'),
      )
      // `raiseOnError` made the report throw, and there is no caller left to throw it at.
      .catch(() => undefined)
      .finally(() => pending.delete(kept))
    pending.add(kept)
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

  /** A body that stalls would keep the meter from closing. */
  async function readUnreadInTime(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, UNREAD_WITHIN_MS)
    })
    await Promise.race([readUnread(), late])
    clearTimeout(timer)
  }

  async function settled(): Promise<void> {
    while (pending.size > 0) await Promise.allSettled(pending)
  }

  const context: CallContext = {
    ...setup,
    experience: createExperience(),
    refusers: new Set(),
    unread(call, read) {
      open.set(call, read)
      sweep ??= setTimeout(() => void readUnread(), UNREAD_AFTER_MS).unref()
    },
    ended(call) {
      open.delete(call)
    },
    keep,
  }

  const observer: Observer = {
    capture: currentPayer,
    begin(payer, request) {
      return problems.guard('internal', 'looking at a request', () => {
        const found = setup.find(request.sdk, request.method, request.host, request.path)
        if (!found) return undefined
        // The book is read while the request is on its way.
        if (!prices.book) keep(prices.load())
        const call = new Call(context, payer as Payer, request, found)
        open.set(call, undefined)
        setup.started()
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
    keep,
    settled,
    async endAll() {
      await readUnreadInTime()
      for (const call of open.keys()) call.end('unread')
      await settled()
    },
  }
}
