// Anthropic's managed agents and dreams: work of the provider's own, which a session's events tell of.
// Shapes: @anthropic-ai/sdk 1.12.0 resources/beta/sessions (events.d.ts, sessions.d.ts), resources/beta/dreams.d.ts.

import { MESSAGE_SHAPE, readInput } from './anthropic-usage.ts'
import { type Counts, codeOf, counts, isObject, type Quantities, textOf, type UsageReading } from './counts.ts'
import { checkUsage } from './invariants.ts'
import {
  type Asked,
  type JobResult,
  type Json,
  type Reading,
  type RequestFacts,
  type Route,
  type StreamReader,
  UNKNOWN_MODEL,
} from './provider.ts'

const NOTHING = () => []
const TOTALS = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'output_tokens'] as const
const SESSION = /\/sessions\/([^/]+)/
const SESSIONS_REMEMBERED = 10_000

/** The model of the sessions that this process has seen an answer of: their events do not name it. */
const models = new Map<string, string>()

function rememberModel(session: string, model: string): void {
  if (models.size >= SESSIONS_REMEMBERED) models.delete(models.keys().next().value!)
  models.set(session, model)
}

/** No part of it says how long a cache write lives: it is taken to have the usual five minutes. */
function readUsage(usage: Json, count: Counts = counts()): UsageReading {
  count.need(usage, 'input_tokens')
  const quantities: Quantities = {
    ...readInput(count, usage, false),
    'output.text': count.need(usage, 'output_tokens'),
  }
  checkUsage(count, usage, MESSAGE_SHAPE)
  return count.reading(quantities, usage, TOTALS)
}

/** An event of a session, where it ends a request to a model; `session.usage` is a running total of these, never added. */
function resultOf(event: unknown, session: string | undefined): JobResult | undefined {
  if (!isObject(event) || session === undefined) return undefined
  const usage =
    event['type'] === 'span.model_request_end'
      ? event['model_usage']
      : event['type'] === 'span.outcome_evaluation_end'
        ? event['usage']
        : undefined
  const id = textOf(event['id'])
  if (!isObject(usage) || id === undefined) return undefined
  const reading: Reading = {
    ...readUsage(usage),
    responseId: id,
    model: models.get(session),
    ...(usage['speed'] === 'fast' && { serviceTier: 'fast' }),
    ...(event['is_error'] === true && { error: 'model_request_error' }),
  }
  return { job: session, id, endpoint: 'sessions', reading }
}

function readEvents(answer: Json, { path }: Asked): Reading {
  const session = SESSION.exec(path)?.[1]
  const events = Array.isArray(answer['data']) ? (answer['data'] as unknown[]) : []
  const results = events.map((event) => resultOf(event, session)).filter((one) => one !== undefined)
  return results.length > 0 ? { results } : {}
}

function eventStream(_isPrepared: boolean, { path }: Asked): StreamReader {
  const session = SESSION.exec(path)?.[1]
  let results: JobResult[] = []
  return {
    take(event) {
      const result = resultOf(event, session)
      if (result) results.push(result)
      return event
    },
    news() {
      if (results.length === 0) return results
      const news = results
      results = []
      return news
    },
    reading: () => (results.length > 0 ? { results } : {}),
    generated: NOTHING,
  }
}

/** Its time is billed too. It is told as a running total, which is whole once the session is over. */
function readSession(answer: Json): Reading {
  const id = textOf(answer['id'])
  if (id === undefined) return {}
  const agent = answer['agent']
  const model = isObject(agent) && isObject(agent['model']) ? textOf(agent['model']['id']) : undefined
  if (model !== undefined) rememberModel(id, model)
  const isOver = answer['status'] === 'terminated' || typeof answer['archived_at'] === 'string'
  const runtime = isOver && isObject(answer['usage']) ? runtimeOf(answer['usage'], id, model) : undefined
  return {
    responseId: id,
    ...(model !== undefined && { model }),
    job: { id, state: 'split' },
    ...(runtime && { results: [runtime] }),
  }
}

function runtimeOf(usage: Json, session: string, model: string | undefined): JobResult | undefined {
  const count = counts()
  const seconds = count.of(usage, 'active_seconds')
  if (seconds === 0) return undefined
  const reading = count.reading({ 'unit.session_seconds': seconds }, usage, ['active_seconds'])
  return { job: session, id: `${session}#runtime`, endpoint: 'sessions', reading: { ...reading, model } }
}

/** `usage` grows until a dream is over, and a little longer where it was canceled: the first that is over is taken. */
function readDream(answer: Json): Reading {
  const id = textOf(answer['id'])
  if (id === undefined) return {}
  const { status, usage } = answer
  const isOver = status === 'completed' || status === 'failed' || status === 'canceled'
  return {
    ...(isOver && isObject(usage) && readUsage(usage)),
    responseId: id,
    model: isObject(answer['model']) ? textOf(answer['model']['id']) : undefined,
    finishReason: isOver ? codeOf(status) : undefined,
    job: { id, state: isOver ? 'over' : 'open' },
  }
}

const UNKNOWN: RequestFacts = { model: UNKNOWN_MODEL, stream: false }

/** The agent that works in a session is known by its id; its model is in the answer. */
const session = {
  endpoint: 'sessions',
  request: (_body: Json, _path: string, stream: boolean): RequestFacts => ({ ...UNKNOWN, stream }),
  requestFields: [],
  fields: ['id', 'agent', 'status', 'archived_at', 'usage'],
  read: readSession,
  generated: NOTHING,
  prompt: NOTHING,
} as const

const events = { ...session, method: 'get', isFollowUp: true, fields: ['data'], read: readEvents } as const

const dream = {
  endpoint: 'dreams',
  fields: ['id', 'status', 'usage', 'model'],
  read: readDream,
  generated: NOTHING,
  prompt: NOTHING,
} as const

export const agentRoutes: readonly Route[] = [
  { ...session, path: /(?:^|\/)v1\/sessions$/ },
  { ...session, method: 'get', isFollowUp: true, path: /(?:^|\/)v1\/sessions\/[^/]+$/ },
  { ...session, isFollowUp: true, path: /(?:^|\/)v1\/sessions\/[^/]+\/archive$/ },
  { ...events, path: /(?:^|\/)v1\/sessions\/[^/]+\/(?:threads\/[^/]+\/)?events$/ },
  {
    ...events,
    path: /(?:^|\/)v1\/sessions\/[^/]+\/(?:events|threads\/[^/]+)\/stream$/,
    readStream: eventStream,
  },
  {
    ...dream,
    path: /(?:^|\/)v1\/dreams$/,
    request: ({ model }) => ({ ...UNKNOWN, model: textOf(isObject(model) ? model['id'] : model) ?? UNKNOWN_MODEL }),
  },
  { ...dream, method: 'get', isFollowUp: true, path: /(?:^|\/)v1\/dreams\/[^/]+$/, request: () => UNKNOWN },
]
