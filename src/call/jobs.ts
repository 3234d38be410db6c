// Work that a provider goes on with after its call was answered: who pays for it, and that it counts once.

import type { Hold } from '../limits/limiter.ts'
import { type JobResult, type Reading, type RequestFacts, UNKNOWN_MODEL } from '../providers/provider.ts'
import { jobEventId } from './job-event-id.ts'
import type { FinishedCall } from './record.ts'

/** What outlives the process of a job: enough to bill whatever it came to to whoever started it. */
export type JobOrigin = Pick<FinishedCall, 'payer' | 'provider' | 'host' | 'endpoint' | 'facts' | 'at'>

/** Keeps beyond the process who started what, and what was recorded of it; may fail: then each process knows its own. */
export interface JobStore {
  put(key: string, origin: JobOrigin): void
  /** Asked only for jobs that this process has not started. */
  get(key: string): JobOrigin | undefined
  /**
   * Has those recorded that no other process has noted before, and notes them; always calls `record`, once. The note is
   * kept after that: of a process that dies in between they are recorded again, under the same ids.
   */
  claim(keys: readonly string[], at: number, record: (fresh: readonly string[]) => void): void
}

/** Records an estimate under this id, for want of the provider's word. */
export interface Estimate {
  later(eventId: string): Promise<void>
  /** The process exits. */
  atOnce(eventId: string): void
}

/** A job that this process has started, and that is still being made. */
interface Parked {
  readonly call: FinishedCall
  readonly hold: Hold | undefined
  readonly estimate: Estimate | undefined
}

/** A call whose job is over, ready to be priced. */
export interface EndedJob {
  readonly key: string
  readonly call: FinishedCall
  readonly hold: Hold | undefined
}

export interface Jobs {
  /** The call has been answered, and what it asked for is still being made. */
  park(call: FinishedCall, hold: Hold | undefined, estimate: Estimate | undefined): void
  /**
   * What is to be recorded now that `asked` has brought news of a job, and these results beside those of its reading.
   * `hold` is its own, where it has started the job and was told at once how that ended.
   */
  hear(asked: FinishedCall, results: readonly JobResult[], hold?: Hold): readonly EndedJob[]
  /** Records those of them that no other process has recorded. */
  claim(ended: readonly EndedJob[], record: (call: EndedJob) => void): void
  /** Records what is still open as far as it can be estimated: this process will not hear of it. */
  giveUp(): Promise<void>
  giveUpAtOnce(): void
}

/** Ids of the results that were recorded; a batch has up to 50,000 lines at OpenAI and 100,000 at Anthropic. */
const RESULTS_REMEMBERED = 200_000
const JOBS_REMEMBERED = 100_000
/** Nobody has asked for so long what became of it, and nobody will: no provider takes longer than a day. */
const LONGEST_MS = 25 * 60 * 60 * 1000
const MOST_OPEN = 10_000

/** `release` frees money that was held for a job whose calls are told one by one. `keep` sees to what is given up. */
export function createJobs(
  store: JobStore,
  release: (hold: Hold) => void,
  keep: (work: Promise<unknown>) => void,
): Jobs {
  const open = new Map<string, Parked>()
  const origins = new Map<string, JobOrigin>()
  const recorded = new Set<string>()

  function originOf(key: string): JobOrigin | undefined {
    return origins.get(key) ?? store.get(key)
  }

  function remember(key: string, origin: JobOrigin): void {
    if (origins.size >= JOBS_REMEMBERED) origins.delete(origins.keys().next().value!)
    origins.set(key, origin)
    store.put(key, origin)
  }

  /** True for the first that asks. */
  function isNew(key: string): boolean {
    if (recorded.has(key)) return false
    if (recorded.size >= RESULTS_REMEMBERED) recorded.delete(recorded.values().next().value!)
    recorded.add(key)
    return true
  }

  function take(key: string): Parked | undefined {
    const parked = open.get(key)
    open.delete(key)
    return parked
  }

  /** Those that nobody asks for would keep their money held for good. The map is in the order of their start. */
  function letOldGo(now: number): void {
    for (const [key, parked] of open) {
      if (open.size <= MOST_OPEN && now - parked.call.at < LONGEST_MS) return
      open.delete(key)
      const estimated = letGo(key, parked)
      if (estimated) keep(estimated)
    }
  }

  function letGo(key: string, { estimate, hold }: Parked): Promise<void> | undefined {
    if (estimate) return estimate.later(jobEventId(key))
    if (hold) release(hold)
    return undefined
  }

  function alias(call: FinishedCall): void {
    const { job, model } = call.reading
    if (!job?.aliases || job.aliases.length === 0) return
    const origin = originOf(keyOf(call, job.id))
    // A batch that another process has started and not told us of is billed to whoever asks for its results.
    if (!origin) return
    const facts = model !== undefined ? { ...origin.facts, model } : origin.facts
    for (const id of job.aliases) if (!origins.has(keyOf(call, id))) remember(keyOf(call, id), { ...origin, facts })
  }

  /** The job that `asked` is about, unless it was recorded already. */
  function claim(asked: FinishedCall, hold: Hold | undefined): EndedJob | undefined {
    const key = keyOf(asked, asked.reading.job!.id)
    if (!isNew(key)) {
      if (hold) release(hold)
      return undefined
    }
    const parked = take(key)
    const started = parked?.call ?? originOf(key)
    const call = { ...asked, ...started, ...told(asked, started?.facts ?? asked.facts), eventId: jobEventId(key) }
    return { key, call, hold: parked?.hold ?? hold }
  }

  function resultOf(asked: FinishedCall, result: JobResult): EndedJob | undefined {
    const { job, id, endpoint, reading } = result
    const key = keyOf(asked, id)
    if (!isNew(key)) return undefined
    const origin = originOf(keyOf(asked, job))
    const model = result.modelRequested ?? reading.model ?? origin?.facts.model ?? UNKNOWN_MODEL
    const call: FinishedCall = {
      ...asked,
      ...origin,
      ...NEVER_SENT,
      ...outcomeOf(reading),
      endpoint,
      facts: { model, stream: false },
      eventId: jobEventId(key),
    }
    return { key, call, hold: undefined }
  }

  /** One of a list is only told, and only counts, where it is known who started it. */
  function listedOf(asked: FinishedCall, reading: Reading): EndedJob | undefined {
    const call = { ...asked, ...outcomeOf(reading) }
    alias(call)
    const { job } = reading
    const isOurs = job?.state === 'over' && originOf(keyOf(asked, job.id)) !== undefined
    return isOurs ? claim(call, undefined) : undefined
  }

  return {
    park(call, hold, estimate) {
      const job = call.reading.job!
      const key = keyOf(call, job.id)
      letOldGo(call.at)
      if (job.state === 'open') open.set(key, { call, hold, estimate })
      else if (hold) release(hold)
      const { payer, provider, host, endpoint, facts, at, reading } = call
      const model = facts.model === UNKNOWN_MODEL ? reading.model : undefined
      remember(key, {
        payer,
        provider,
        host,
        endpoint,
        facts: model === undefined ? facts : { ...facts, model },
        at,
      })
      alias(call)
    },
    hear(asked, results, hold) {
      const { job, listed = [] } = asked.reading
      if (job) alias(asked)
      const ended = job?.state === 'over' ? claim(asked, hold) : undefined
      const calls = [...results, ...(asked.reading.results ?? [])].map((result) => resultOf(asked, result))
      const others = listed.map((reading) => listedOf(asked, reading))
      return [ended, ...calls, ...others].filter((one) => one !== undefined)
    },
    claim(ended, record) {
      if (ended.length === 0) return
      const keys = ended.map(({ key }) => key)
      store.claim(keys, ended[0]!.call.at, (fresh) => {
        const isFresh = new Set(fresh)
        for (const job of ended) {
          if (isFresh.has(job.key)) record(job)
          else if (job.hold) release(job.hold)
        }
      })
    },
    async giveUp() {
      const left = [...open]
      open.clear()
      await Promise.allSettled(left.map(async ([key, parked]) => letGo(key, parked)))
    },
    giveUpAtOnce() {
      const left = [...open]
      open.clear()
      for (const [key, parked] of left) parked.estimate?.atOnce(jobEventId(key))
    },
  }
}

/** No request of this process: the provider made the call by itself. */
const NEVER_SENT = {
  attempts: [],
  requestId: undefined,
  status: undefined,
  errorCode: undefined,
  streamEnd: undefined,
  durationMs: undefined,
  timeToFirstTokenMs: undefined,
} satisfies Partial<FinishedCall>

/** What the asking exchange has learnt of the job; the rest of its event is of the call that started it. */
function told({ reading, status }: FinishedCall, started: RequestFacts) {
  const { isEstimated = false, ...more } = reading.job?.cameTo?.(started) ?? {}
  const outcome = { ...outcomeOf({ ...reading, ...more }), status }
  return isEstimated && outcome.usage ? { ...outcome, usageSource: 'estimated' as const } : outcome
}

/** What a job came to. It is told whole or not at all: there is nothing left to be estimated. */
function outcomeOf(reading: Reading) {
  const { usage, flags, error, isPartial } = reading
  const isMissing = usage === undefined && error === undefined
  return {
    reading,
    usage,
    usageSource: usage === undefined ? ('absent' as const) : isPartial ? ('partial' as const) : ('reported' as const),
    flags: isMissing ? [...(flags ?? []), 'missing:usage'] : flags,
    error,
  }
}

function keyOf({ provider }: FinishedCall, id: string): string {
  return `${provider} ${id}`
}
