// What becomes of a call that is over: it is settled, at once or when its usage is estimated, or told of as a job.

import type { Hold } from '../limits/limiter.ts'
import type { JobResult } from '../providers/provider.ts'
import { type Recording, recordInTurn } from './in-turn.ts'
import type { Jobs } from './jobs.ts'
import type { Evidence } from './missing-usage.ts'
import { isMissing } from './outcome.ts'
import { isSeenInFull, type SaidText } from './own-counts.ts'
import type { FinishedCall } from './record.ts'
import { estimateOf, type SettlingContext, settle, settleLater } from './settle.ts'

export interface FinishContext extends SettlingContext, Recording {
  // Said again: what both parts need, with all that each needs of it.
  readonly prices: Recording['prices']
  readonly jobs: Jobs
}

/** What was reported stands; what is missing is estimated and says so. */
export function finish(
  call: FinishedCall,
  evidence: (() => Evidence) | undefined,
  hold: Hold | undefined,
  context: FinishContext,
  said?: () => SaidText,
): void {
  const countable = said && isSeenInFull(call) ? said : undefined
  // Not yet there only where the answer was quicker than its reading: its event is on the disk all the same before this returns.
  const book = evidence || countable ? undefined : context.prices.now()
  if (!book) settleLater(call, evidence, hold, context, countable)
  else context.problems.guard('internal', 'recording a call', () => settle(call, book, hold, context))
}

/** Some of its usage is to be estimated. */
export function isIncomplete(call: FinishedCall, isTextless: boolean): boolean {
  return isMissing(call) && !isTextless
}

/** A call that started work which goes on after it, or that told of such work. */
export interface JobCall {
  readonly call: FinishedCall
  /** Results that its answer had line by line. */
  readonly results: readonly JobResult[]
  /** It only tells of what others have started. */
  readonly isFollowUp: boolean
  readonly hold: Hold | undefined
  readonly evidence: () => Evidence
}

/** Recorded once, in the name of whoever started it. */
export function finishJob({ call, results, isFollowUp, hold, evidence }: JobCall, context: FinishContext): void {
  const { jobs, problems } = context
  const { job } = call.reading
  const isParked = job !== undefined && job.state !== 'over' && !isFollowUp
  if (isParked) jobs.park(call, hold, job.isText ? estimateOf(call, evidence, hold, context) : undefined)
  const own = job?.state === 'over' ? hold : undefined
  recordInTurn(context, jobs.hear(call, results, own), (ended, book) =>
    problems.guard('internal', 'recording a call', () => settle(ended.call, book, ended.hold, context)),
  )
}
