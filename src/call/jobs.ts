// Work that a provider goes on with after its call was answered: who pays for it, and that it counts once.

import type { Hold } from '../limits/limiter.ts'
import type { JobResult } from '../providers/provider.ts'
import type { FinishedCall } from './record.ts'

/** What outlives the process of a job: enough to bill whatever it came to to whoever started it. */
export type JobOrigin = Pick<FinishedCall, 'payer' | 'provider' | 'host' | 'endpoint' | 'facts' | 'at'>

/** Keeps origins beyond the process; may fail, and is asked only for jobs that this process has not started. */
export interface JobStore {
  put(key: string, origin: JobOrigin): void
  get(key: string): JobOrigin | undefined
}

/** A job that this process has started. */
interface Parked {
  readonly call: FinishedCall
  readonly hold: Hold | undefined
  /** Records an estimate under this id, for want of the provider's word. */
  readonly giveUp: ((eventId: string) => Promise<void>) | undefined
}

/** A call whose job is over, ready to be priced. */
export interface EndedJob {
  readonly call: FinishedCall
  readonly hold: Hold | undefined
}

export interface Jobs {
  /** The call has been answered, and what it asked for is still being made. */
  park(call: FinishedCall, hold: Hold | undefined, giveUp: Parked['giveUp']): void
  /** What is to be recorded now that `asked` has brought news of a job, and these results beside those of its reading. */
  hear(asked: FinishedCall, results: readonly JobResult[]): readonly EndedJob[]
  /** Records what is still open as far as it can be estimated: this process will not hear of it. */
  giveUp(): Promise<void>
}

/** Ids of the results that were recorded; a batch has up to 100,000 lines. */
const RESULTS_REMEMBERED = 200_000
const JOBS_REMEMBERED = 100_000

/** `release` frees money that was held for a job whose calls are told one by one. */
export function createJobs(store: JobStore, release: (hold: Hold) => void): Jobs {
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

  function alias(call: FinishedCall): void {
    const { job } = call.reading
    if (!job?.aliases || job.aliases.length === 0) return
    const origin = originOf(keyOf(call, job.id))
    // A batch that another process has started and not told us of is billed to whoever asks for its results.
    if (origin) for (const id of job.aliases) if (!origins.has(keyOf(call, id))) remember(keyOf(call, id), origin)
  }

  /** The job that `asked` is about, unless it was recorded already. */
  function claim(asked: FinishedCall): EndedJob | undefined {
    const key = keyOf(asked, asked.reading.job!.id)
    if (!isNew(key)) return undefined
    const parked = take(key)
    const call = { ...asked, ...(parked?.call ?? originOf(key)), ...told(asked), eventId: jobEventId(key) }
    return { call, hold: parked?.hold }
  }

  function resultOf(asked: FinishedCall, result: JobResult): EndedJob | undefined {
    const { job, id, endpoint, modelRequested, reading } = result
    const key = keyOf(asked, id)
    if (!isNew(key)) return undefined
    const call: FinishedCall = {
      ...asked,
      ...originOf(keyOf(asked, job)),
      ...NEVER_SENT,
      endpoint,
      facts: { model: modelRequested ?? reading.model ?? 'unknown', stream: false },
      reading,
      usage: reading.usage,
      usageSource: reading.usage ? 'reported' : 'absent',
      flags: reading.flags,
      error: reading.error,
      eventId: jobEventId(key),
    }
    return { call, hold: undefined }
  }

  return {
    park(call, hold, giveUp) {
      const key = keyOf(call, call.reading.job!.id)
      open.set(key, { call, hold, giveUp })
      const { payer, provider, host, endpoint, facts, at } = call
      remember(key, { payer, provider, host, endpoint, facts, at })
    },
    hear(asked, results) {
      const { job } = asked.reading
      if (job) alias(asked)
      const ended = job?.state === 'over' ? claim(asked) : undefined
      const parked = job?.state === 'split' ? take(keyOf(asked, job.id)) : undefined
      if (parked?.hold) release(parked.hold)
      const calls = [...results, ...(asked.reading.results ?? [])].map((result) => resultOf(asked, result))
      return [ended, ...calls].filter((one) => one !== undefined)
    },
    async giveUp() {
      const left = [...open]
      open.clear()
      await Promise.allSettled(left.map(([key, parked]) => parked.giveUp?.(jobEventId(key))))
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
function told({ reading, usage, usageSource, flags, error, status }: FinishedCall) {
  return { reading, usage, usageSource, flags, error, status }
}

function keyOf({ provider }: FinishedCall, id: string): string {
  return `${provider} ${id}`
}

/** The same id in every process that hears of the job, so that a ledger counts it once: a UUIDv8 of its hash. */
export function jobEventId(key: string): string {
  // Not imported: node:crypto takes 5 ms of CPU to load.
  const hex = process.getBuiltinModule('node:crypto').createHash('sha256').update(key).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
