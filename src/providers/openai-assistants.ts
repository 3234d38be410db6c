// OpenAI's runs on its own side: those of assistants' threads, and the turns of managed agents' sessions.
// Shapes: openai 7.57.0 resources/beta/threads/runs/runs.d.ts (Run), resources/beta/agents/agents.d.ts (AgentSession,
// AgentSessionTurnCompletedEvent), resources/beta/agents/sessions/turns/turns.d.ts (Turn).

import { codeOf, isObject, textOf } from './counts.ts'
import { factsOf } from './openai-request.ts'
import { readCompletionUsage, readResponseUsage } from './openai-usage.ts'
import { texts } from './prompt.ts'
import { type JobResult, type Json, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { parsedArray } from './top-level.ts'

const RUN = ['id', 'model', 'status', 'usage', 'last_error']
const RUN_OVER = new Set(['completed', 'incomplete', 'failed', 'cancelled', 'expired'])

function readRun(run: Json): Reading {
  const id = textOf(run['id'])
  const status = codeOf(run['status'])
  const isOver = RUN_OVER.has(String(status))
  const failed = run['last_error']
  const isBroken = isOver && status !== 'completed' && status !== 'incomplete'
  return {
    ...(isOver && readCompletionUsage(run['usage'])),
    responseId: id,
    model: textOf(run['model']),
    finishReason: status,
    job: id === undefined ? undefined : { id, state: isOver ? 'over' : 'open', isText: true },
    error: isBroken ? ((isObject(failed) ? codeOf(failed['code']) : undefined) ?? status) : undefined,
  }
}

/** openai's helpers hand on `{ event, data }`; on the wire the name of an event stands beside its data. */
function dataOf(event: Json): Json {
  return isObject(event['data']) ? event['data'] : event
}

function saidIn(delta: unknown): string[] {
  const parts = isObject(delta) ? parsedArray(delta['content']) : []
  return parts.flatMap((part) => {
    const text = isObject(part) && isObject(part['text']) ? part['text']['value'] : undefined
    return typeof text === 'string' ? [text] : []
  })
}

function runStream(): StreamReader {
  let last: Json | undefined
  const generated: string[] = []
  return {
    take(event) {
      const data = dataOf(event)
      if (data['object'] === 'thread.run') last = data
      else if (data['object'] === 'thread.message.delta') generated.push(...saidIn(data['delta']))
      return event
    },
    reading: () => (last ? readRun(last) : {}),
    generated: () => generated,
  }
}

const run: Route = {
  endpoint: 'threads.runs',
  path: /(?:^|\/)threads\/(?:[^/]+\/)?runs$/,
  request: (body, _path, stream) =>
    factsOf(
      body,
      stream,
      typeof body['max_completion_tokens'] === 'number' ? body['max_completion_tokens'] : undefined,
      ['tools'],
    ),
  fields: RUN,
  read: readRun,
  readStream: runStream,
  generated: () => [],
  prompt: (body) => {
    const thread = isObject(body['thread']) ? body['thread']['messages'] : undefined
    return texts(
      thread,
      body['instructions'],
      body['additional_instructions'],
      body['additional_messages'],
      body['tools'],
    )
  },
}

const asking = {
  isFollowUp: true,
  request: (_body: Json, _path: string, stream: boolean) => ({ model: UNKNOWN_MODEL, stream }),
  generated: () => [],
  prompt: () => [],
} as const

const askedRun = { ...asking, endpoint: 'threads.runs', fields: RUN, read: readRun }

/** What a session used is told turn by turn, as far as the agent itself used it. */
function turnOf(turn: unknown, usage: unknown, session: unknown): JobResult | undefined {
  if (
    !isObject(turn) ||
    (turn['status'] !== 'completed' && turn['status'] !== 'failed' && turn['status'] !== 'cancelled')
  )
    return undefined
  const [id, job] = [textOf(turn['id']), textOf(turn['session_id']) ?? textOf(session)]
  if (id === undefined || job === undefined) return undefined
  const status = String(turn['status'])
  const reading: Reading = {
    ...readResponseUsage(turn['usage'] ?? usage),
    responseId: id,
    finishReason: status,
    error: status === 'completed' ? undefined : status,
  }
  // Best effort: a turn that used nothing, or of which it is not known, has none.
  return reading.usage ? { job, id, endpoint: 'agents.sessions', reading } : undefined
}

function readSession(session: Json): Reading {
  const id = textOf(session['id'])
  const { agent } = session
  return {
    model: isObject(agent) ? textOf(agent['model']) : undefined,
    job: id === undefined ? undefined : { id, state: 'split' },
  }
}

/** Turns are told as they end: a session's events may go on for days. */
function sessionStream(): StreamReader {
  let session: Reading | undefined
  let results: JobResult[] = []
  return {
    take(event) {
      const data = dataOf(event)
      if (isObject(data['session'])) session = readSession(data['session'])
      const turn = turnOf(data['turn'], data['usage'], data['session_id'])
      if (turn) results.push({ ...turn, reading: { ...turn.reading, model: session?.model } })
      return event
    },
    news() {
      const news = results
      if (news.length > 0) results = []
      return news
    },
    reading: () => ({ ...session, results: results.length > 0 ? results : undefined }),
    generated: () => [],
  }
}

const session: Route = {
  endpoint: 'agents.sessions',
  path: /(?:^|\/)agents\/sessions$/,
  request: (body, _path, stream) => ({
    ...factsOf(isObject(body['agent']) ? body['agent'] : {}, stream),
  }),
  fields: ['id', 'agent'],
  isTextless: true,
  isUsageOptional: true,
  read: readSession,
  readStream: sessionStream,
  generated: () => [],
  prompt: (body) => texts(body['input']),
}

const askedSession = { ...asking, isTextless: true, endpoint: 'agents.sessions', method: 'get' } as const

export const assistants: readonly Route[] = [
  run,
  { ...askedRun, method: 'get', path: /(?:^|\/)threads\/[^/]+\/runs\/[^/]+$/ },
  { ...askedRun, path: /(?:^|\/)threads\/[^/]+\/runs\/[^/]+\/cancel$/ },
  { ...askedRun, path: /(?:^|\/)threads\/[^/]+\/runs\/[^/]+\/submit_tool_outputs$/, readStream: runStream },
  {
    ...askedRun,
    method: 'get',
    path: /(?:^|\/)threads\/[^/]+\/runs$/,
    fields: ['data'],
    read: (answer) => ({ listed: parsedArray(answer['data']).filter(isObject).map(readRun) }),
  },
  session,
  {
    ...askedSession,
    path: /(?:^|\/)agents\/sessions\/[^/]+\/events$/,
    fields: [],
    read: () => ({}),
    readStream: sessionStream,
  },
  {
    ...askedSession,
    path: /(?:^|\/)agents\/sessions\/[^/]+\/turns\/[^/]+$/,
    fields: ['id', 'session_id', 'status', 'usage'],
    read: (turn) => ({ results: [turnOf(turn, undefined, undefined)].filter((one) => one !== undefined) }),
  },
  {
    ...askedSession,
    path: /(?:^|\/)agents\/sessions\/[^/]+\/turns$/,
    fields: ['data'],
    read: (answer) => ({
      results: parsedArray(answer['data']).flatMap((turn) => turnOf(turn, undefined, undefined) ?? []),
    }),
  },
]
