// OpenAI's work that takes its time: videos, fine-tuning, evals.
// Shapes: openai 7.57.0 resources/videos.d.ts, resources/fine-tuning/jobs/jobs.d.ts, resources/evals/runs/runs.d.ts.

import { codeOf, counts, isObject, textOf, type UsageReading } from './counts.ts'
import { factsOf } from './openai-request.ts'
import { readCompletionUsage } from './openai-usage.ts'
import { texts } from './prompt.ts'
import { type CameTo, type Json, type Reading, type RequestFacts, type Route, UNKNOWN_MODEL } from './provider.ts'
import { parsedArray } from './top-level.ts'

type State = 'open' | 'over'

/** What every job says of itself, with what it used once it is over. */
function readJob(job: Json, state: State, over: () => UsageReading): Reading {
  const id = textOf(job['id'])
  const failed = job['error']
  const status = codeOf(job['status'])
  const reason = isObject(failed) && codeOf(failed['code'])
  return {
    ...(state === 'over' && over()),
    responseId: id,
    model: textOf(job['model']),
    finishReason: status,
    job: id === undefined ? undefined : { id, state },
    error: reason || (status === 'failed' || status === 'cancelled' || status === 'canceled' ? status : undefined),
  }
}

/** The jobs of a list, each as it would be told alone. */
function listed(answer: Json, read: (job: Json) => Reading): Reading {
  return { listed: parsedArray(answer['data']).filter(isObject).map(read) }
}

const asking = {
  isFollowUp: true,
  isTextless: true,
  request: () => ({ model: UNKNOWN_MODEL, stream: false }),
  generated: () => [],
  prompt: () => [],
} as const

function readVideo(video: Json): Reading {
  const status = video['status']
  const isOver = status === 'completed' || status === 'failed'
  const size = codeOf(video['size'])
  const reading = readJob(video, isOver ? 'over' : 'open', () => {
    if (status === 'failed') return {}
    const count = counts()
    const raw = { seconds: secondsOf(video['seconds']) }
    return count.reading({ 'unit.output_seconds': count.need(raw, 'seconds') }, raw, ['seconds'])
  })
  return {
    ...reading,
    job: reading.job && { ...reading.job, ...(status === 'completed' && { cameTo: extended }) },
    variant: resolutionOf(size),
    metadata: size === undefined ? undefined : { size },
  }
}

/** `1280x720` and `720x1280` are billed alike, as `720p`. */
function resolutionOf(size: string | undefined): string | undefined {
  const sides = /^(\d+)x(\d+)$/.exec(size ?? '')
  return sides ? `${Math.min(Number(sides[1]), Number(sides[2]))}p` : undefined
}

/** Text in every answer and every request: "8". */
function secondsOf(said: unknown): unknown {
  return typeof said === 'string' && /^-?\d+(?:\.\d+)?$/.test(said) ? Number(said) : said
}

/** One that was extended tells how long both parts are together, of which the first was billed before. */
function extended({ metadata }: RequestFacts): CameTo {
  const seconds = metadata?.['extension_seconds']
  return typeof seconds === 'number' ? { usage: { 'unit.output_seconds': seconds } } : {}
}

const video: Route = {
  endpoint: 'videos',
  path: /(?:^|\/)videos$/,
  request: (body) => {
    const facts = factsOf(body, false)
    // The model of a request that names none (videos.d.ts, VideoCreateParams.model).
    return facts.model === UNKNOWN_MODEL ? { ...facts, model: 'sora-2' } : facts
  },
  fields: ['id', 'model', 'status', 'seconds', 'size', 'error'],
  isTextless: true,
  read: readVideo,
  generated: () => [],
  prompt: (body) => texts(body['prompt']),
}

const FINE_TUNING = ['id', 'model', 'status', 'trained_tokens', 'error']

/** Billed by the token that was trained on, once it has succeeded. */
function readFineTuning(job: Json): Reading {
  const { status } = job
  const isOver = status === 'succeeded' || status === 'failed' || status === 'cancelled'
  return readJob(job, isOver ? 'over' : 'open', () => {
    // Of reinforcement, and of what did not succeed, there are none.
    if (status !== 'succeeded' && (job['trained_tokens'] ?? undefined) === undefined) return {}
    const count = counts()
    return count.reading({ 'unit.trained_tokens': count.need(job, 'trained_tokens') }, job, ['trained_tokens'])
  })
}

const fineTuning: Route = {
  endpoint: 'fineTuning.jobs',
  path: /(?:^|\/)fine_tuning\/jobs$/,
  request: (body) => factsOf(body, false),
  fields: FINE_TUNING,
  isTextless: true,
  read: readFineTuning,
  generated: () => [],
  prompt: () => [],
}

const EVAL_RUN = ['id', 'model', 'status', 'per_model_usage', 'error']
const EVAL_OVER = new Set(['completed', 'failed', 'canceled', 'cancelled'])

/** Several models have a part in it, the one that is tried and those that judge; it names the first. */
function readEvalRun(run: Json): Reading {
  const isOver = EVAL_OVER.has(codeOf(run['status']) ?? '')
  const models = parsedArray(run['per_model_usage']).filter(isObject)
  const readings = models.map(({ model_name, invocation_count: _, cached_tokens, ...usage }) => ({
    model: textOf(model_name) ?? UNKNOWN_MODEL,
    ...readCompletionUsage({ ...usage, prompt_tokens_details: { cached_tokens } }),
  }))
  const [first, ...rest] = readings
  const flags = readings.flatMap(({ model, flags = [] }) => flags.map((flag) => `${model}.${flag}`))
  return {
    ...readJob(run, isOver ? 'over' : 'open', () => ({
      ...(first && { usage: first.usage }),
      ...(flags.length > 0 && { flags, reported: Object.assign({}, ...readings.map(({ reported }) => reported)) }),
    })),
    model: first?.model ?? textOf(run['model']),
    others: isOver && rest.length > 0 ? rest.map(({ model, usage = {} }) => ({ model, usage })) : undefined,
  }
}

const evalRun: Route = {
  endpoint: 'evals.runs',
  path: /(?:^|\/)evals\/[^/]+\/runs$/,
  request: (body) => factsOf(isObject(body['data_source']) ? body['data_source'] : {}, false),
  fields: EVAL_RUN,
  textFields: ['per_model_usage'],
  isTextless: true,
  read: readEvalRun,
  generated: () => [],
  prompt: () => [],
}

/** What tells of a job: the one that asks for it, the one that ends it, and the list. */
function followUps(route: Route, one: string): readonly Route[] {
  const { endpoint, fields, textFields = [], read } = route
  const shared = { ...asking, endpoint, fields, textFields, read }
  return [
    { ...shared, method: 'get', path: new RegExp(`(?:^|/)${one}$`) },
    { ...shared, path: new RegExp(`(?:^|/)${one}/cancel$`) },
    {
      ...asking,
      endpoint,
      method: 'get',
      path: route.path,
      fields: ['data'],
      read: (answer, asked) => listed(answer, (job) => read(job, asked)),
    },
  ]
}

export const jobs: readonly Route[] = [
  video,
  { ...video, endpoint: 'videos.remix', path: /(?:^|\/)videos\/[^/]+\/remix$/ },
  { ...video, endpoint: 'videos.edit', path: /(?:^|\/)videos\/edits$/ },
  {
    ...video,
    endpoint: 'videos.extend',
    path: /(?:^|\/)videos\/extensions$/,
    request(body, path, stream) {
      const facts = video.request(body, path, stream)
      const seconds = secondsOf(body['seconds'])
      if (typeof seconds !== 'number' || !(seconds > 0)) return facts
      return { ...facts, metadata: { ...facts.metadata, extension_seconds: Math.ceil(seconds) } }
    },
  },
  ...followUps(video, 'videos/[^/]+'),
  fineTuning,
  ...followUps(fineTuning, 'fine_tuning/jobs/[^/]+'),
  evalRun,
  ...followUps(evalRun, 'evals/[^/]+/runs/[^/]+'),
]
