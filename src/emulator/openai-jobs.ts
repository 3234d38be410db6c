// What OpenAI goes on with after its answer: videos, fine-tuning, evals, and runs.

import { NOTHING } from './openai-media.ts'
import { openaiRuns, SUBMIT } from './openai-runs.ts'
import { type Answer, asText, type Billable, type Call, type Json } from './wire.ts'

/** A job: how it looks while it is made, and at its end. It is over when it is asked for the second time. */
interface Job {
  readonly open: Json
  readonly over: Json
  asked: number
}

const MOST_STORED = 1000

export function openaiJobs() {
  const jobs = new Map<string, Job>()

  function start(id: string, open: Json, over: Json): void {
    jobs.set(id, { open: { id, ...open }, over: { id, ...open, ...over }, asked: 0 })
    const [oldest] = jobs.keys()
    if (jobs.size > MOST_STORED && oldest !== undefined) jobs.delete(oldest)
  }

  function ask(id: string): Json | undefined {
    const job = jobs.get(id)
    if (!job) return undefined
    job.asked++
    return job.asked > 1 ? job.over : job.open
  }

  const video = (call: Call): Answer => {
    const { body, reply } = call
    const id = `video_${call.serial}`
    const model = asText(body.model) ?? 'sora-2'
    const seconds = reply.seconds ?? Number(body.seconds ?? 4)
    const fails = reply.errorCode !== undefined
    const open = {
      object: 'video',
      model,
      status: 'queued',
      progress: 0,
      // Of an extension, both parts together.
      seconds: String(call.path.endsWith('/extensions') ? seconds + 4 : seconds),
      size: body.size ?? '720x1280',
      error: null,
    }
    start(
      id,
      open,
      fails
        ? { status: 'failed', error: { code: reply.errorCode, message: 'It failed.' } }
        : { status: 'completed', progress: 100 },
    )
    const billable: Billable = {
      model,
      endpoint: 'videos',
      responseId: id,
      terms: {},
      counts: NOTHING,
      extras: { outputSeconds: seconds },
      usage: () => ({ seconds }),
    }
    return { status: 200, json: { id, ...open }, ...(!fails && { billable }) }
  }

  const fineTuning = (call: Call): Answer => {
    const id = `ftjob-${call.serial}`
    const model = String(call.body.model)
    const trained = call.reply.inputTokens ?? 5000
    const open = { object: 'fine_tuning.job', model, status: 'queued', trained_tokens: null, error: null }
    start(id, open, { status: 'succeeded', trained_tokens: trained })
    const billable: Billable = {
      model,
      endpoint: 'fine_tuning/jobs',
      responseId: id,
      terms: {},
      counts: NOTHING,
      extras: { trainedTokens: trained },
      usage: () => ({ trained_tokens: trained }),
    }
    return { status: 200, json: { id, ...open }, billable }
  }

  const evalRun = (call: Call): Answer => {
    const id = `evalrun_${call.serial}`
    const models = ['gpt-4o-mini', 'gpt-4o'].map((model_name, index) => {
      const counts = { ...NOTHING, input: 100 * (index + 1), cacheRead: 20, output: 10 * (index + 1) }
      const [prompt, completion] = [counts.input + counts.cacheRead, counts.output]
      const usage = () => ({
        model_name,
        invocation_count: 2,
        prompt_tokens: prompt,
        completion_tokens: completion,
        cached_tokens: counts.cacheRead,
        total_tokens: prompt + completion,
      })
      return { model: model_name, endpoint: 'evals/runs', responseId: id, terms: {}, counts, usage } satisfies Billable
    })
    const open = { object: 'eval.run', model: 'gpt-4o-mini', status: 'queued', per_model_usage: null, error: null }
    start(id, open, { status: 'completed', per_model_usage: models.map(({ usage }) => usage()) })
    return { status: 200, json: { id, ...open }, billable: models }
  }

  const { run, submit, session, sessionEvents } = openaiRuns({ start, find: (id) => jobs.get(id) })

  const found = (json: Json | undefined): Answer | undefined => (json ? { status: 200, json } : undefined)

  const get = (call: Call): Answer | undefined => {
    const [, list] = LIST.exec(call.path) ?? []
    if (list !== undefined) {
      const data = [...jobs.values()].filter(({ open }) => open.object === OBJECTS[list]).map(({ over }) => over)
      return {
        status: 200,
        json: {
          object: 'list',
          data,
          has_more: false,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
        },
      }
    }
    if (call.path.endsWith('/events')) return sessionEvents(call)
    return found(ask(/[^/]+$/.exec(call.path)?.[0] ?? ''))
  }

  return {
    start,
    /** `undefined` for what is no job. */
    answer(call: Call): Answer | undefined {
      if (call.method === 'GET') return get(call)
      if (VIDEOS.test(call.path)) return video(call)
      if (call.path.endsWith('/fine_tuning/jobs')) return fineTuning(call)
      if (/\/evals\/[^/]+\/runs$/.test(call.path)) return evalRun(call)
      if (RUNS.test(call.path)) return run(call)
      if (SUBMIT.test(call.path)) return submit(call)
      return call.path.endsWith('/agents/sessions') ? session(call) : undefined
    },
  }
}

const VIDEOS = /\/videos(?:\/edits|\/extensions|\/[^/]+\/remix)?$/
const RUNS = /\/threads\/(?:[^/]+\/)?runs$/
const LIST = /\/(videos|runs|jobs)$/
const OBJECTS: Readonly<Record<string, string>> = { videos: 'video', runs: 'thread.run', jobs: 'fine_tuning.job' }
