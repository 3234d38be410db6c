// OpenAI's wire: which path is answered how, and its errors.

import { type Counts, generate, inputTotal, reported } from './generation.ts'
import { openaiBatches } from './openai-batches.ts'
import { chatCompletion, textCompletion } from './openai-chat.ts'
import { openaiJobs } from './openai-jobs.ts'
import { images, speech, transcript } from './openai-media.ts'
import { compact, decide, replay, respond } from './openai-responses.ts'
import { type Answer, asCount, asText, type Call, type Failure, type Json, type Wire } from './wire.ts'
import { countTokens, sampleVector } from './words.ts'

export interface OpenAIOptions {
  /** Answer `stream_options` as hosts do that never heard of it: 422 as Mistral, 400 as older Azure versions. */
  readonly rejectStreamOptions?: boolean | 400 | 422
}

const ENDPOINT =
  /\/(chat\/completions|completions|responses(?:\/input_tokens|\/compact)?|embeddings|moderations|models|decisions|audio\/(?:transcriptions|translations|speech)|images\/(?:generations|edits|variations))$/
const MOST_STORED = 1000
const STORED = /\/responses\/([^/]+?)(?:\/cancel)?$/

export function openaiWire({ rejectStreamOptions = false }: OpenAIOptions = {}): Wire {
  const stored = new Map<string, Json>()
  const reject = (call: Call, failure: Failure, param: string | null = null): Answer => {
    const { error } = wire.failure(failure, call.requestId) as { error: Json }
    return { status: failure.status, json: { error: { ...error, param } } }
  }

  function store(response: Json): void {
    stored.set(String(response.id), response)
    const [oldest] = stored.keys()
    if (stored.size > MOST_STORED && oldest !== undefined) stored.delete(oldest)
  }

  function answer(call: Call): Answer {
    const { method, path, body, reply } = call
    const endpoint = ENDPOINT.exec(path)?.[1]
    if (method === 'GET' && endpoint === 'models') return { status: 200, json: models() }
    const kept = stored.get(STORED.exec(path)?.[1] ?? '')
    if (kept && path.endsWith('/cancel')) return { status: 200, json: { ...kept, status: 'cancelled' } }
    if (kept && method === 'GET' && call.query.stream === 'true') return replay(kept)
    if (kept && method === 'GET') return { status: 200, json: kept }
    const later = batches.answer(call) ?? jobs.answer(call)
    if (later) return later
    if (method !== 'POST' || endpoint === undefined || endpoint === 'models') return notFound(call)
    if (endpoint === 'moderations') return { status: 200, json: moderation(call) }
    const model = asText(body.model)
    if (endpoint === 'images/variations') return images(call, endpoint)
    if (!model) return reject(call, { status: 400, message: 'you must provide a model parameter' })
    if ('stream_options' in body) {
      if (rejectStreamOptions) return refuseStreamOptions(rejectStreamOptions === 400 ? 400 : 422, call)
      if (body.stream !== true) {
        const message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return reject(call, { status: 400, message }, 'stream_options')
      }
    }
    const field = INPUT[endpoint]
    if (field !== undefined && body[field] === undefined && (endpoint !== 'responses' || body.prompt === undefined)) {
      const message = `Missing required parameter: '${field}'.`
      return reject(call, { status: 400, message, code: 'missing_required_parameter' }, field)
    }

    const tokens = countTokens([body.messages, body.instructions, body.input, body.prompt, body.tools])
    const prompt = { tokens, choices: asCount(body.n), serial: call.serial }
    const chargeless = { ...reply, webSearches: 0 }
    switch (endpoint) {
      case 'chat/completions': {
        const cap = asCount(body.max_completion_tokens) ?? asCount(body.max_tokens)
        return chatCompletion(call, withinInput(generate({ ...prompt, cap }, chargeless)), tierOf(call))
      }
      case 'completions': {
        // The older endpoint stops after 16 tokens unless told otherwise.
        const cap = asCount(body.max_tokens) ?? 16
        return textCompletion(call, withinInput(generate({ ...prompt, cap }, chargeless)))
      }
      case 'responses': {
        const cap = asCount(body.max_output_tokens)
        const responded = respond(call, withinInput(generate({ ...prompt, cap, choices: 1 }, reply)), tierOf(call))
        if (body.store !== false) store(responded.stored)
        return responded
      }
      case 'responses/compact':
        return compact(call, withinInput(generate({ ...prompt, choices: 1 }, chargeless)))
      case 'decisions':
        return decide(call, withinInput(generate({ ...prompt, choices: 1 }, chargeless)))
      case 'audio/transcriptions':
      case 'audio/translations':
        return transcript(call, endpoint)
      case 'audio/speech':
        return speech(call)
      case 'images/generations':
      case 'images/edits':
        return images(call, endpoint)
      case 'responses/input_tokens':
        return { status: 200, json: { object: 'response.input_tokens', input_tokens: tokens } }
      default:
        return embeddings(call, model, tokens)
    }
  }

  const jobs = openaiJobs()
  const batches = openaiBatches(answer)
  const notFound = (call: Call): Answer =>
    reject(call, { status: 404, message: `Invalid URL (${call.method} ${call.path})` })

  const wire: Wire = {
    provider: 'openai',
    lineEnd: '\n',
    answer,
    headers: (requestId) => ({ 'x-request-id': requestId, 'openai-version': '2020-10-01' }),
    failure({ status, message, code }) {
      const type = code === 'insufficient_quota' ? code : (TYPES[status] ?? 'invalid_request_error')
      return {
        error: { message: message ?? `Emulated ${status}.`, type, param: null, code: code ?? CODES[status] ?? null },
      }
    },
    failureEvent(failure, call, after) {
      const { error } = wire.failure(failure, call.requestId) as { error: Json }
      if (!call.path.endsWith('/responses')) return { data: { error } }
      const { message, code, param } = error
      return {
        event: 'error',
        data: { type: 'error', sequence_number: after, code: code ?? error.type, message, param },
      }
    },
  }
  return wire
}

const INPUT: Readonly<Record<string, string>> = {
  'chat/completions': 'messages',
  completions: 'prompt',
  responses: 'input',
  embeddings: 'input',
}

const TYPES: Readonly<Record<number, string>> = {
  429: 'requests',
  500: 'server_error',
  502: 'server_error',
  503: 'server_error',
  504: 'server_error',
}

const CODES: Readonly<Record<number, string>> = { 401: 'invalid_api_key', 429: 'rate_limit_exceeded' }

/** What a tool brought in is ordinary input here. */
function withinInput<G extends { readonly counts: Counts }>(generation: G): G {
  const { counts } = generation
  return { ...generation, counts: { ...counts, input: counts.input + counts.toolUse, toolUse: 0 } }
}

/** Asking for `fast` is answered `priority`, its older name. */
function tierOf({ body, reply }: Call): string {
  if (reply.serviceTier !== undefined) return reply.serviceTier
  const asked = asText(body.service_tier)
  if (asked === 'fast') return 'priority'
  return asked === undefined || asked === 'auto' ? 'default' : asked
}

function refuseStreamOptions(status: 400 | 422, { body }: Call): Answer {
  if (status === 400) {
    const message = 'Unrecognized request argument supplied: stream_options'
    return { status, json: { error: { message, type: 'invalid_request_error', param: null, code: null } } }
  }
  const loc = ['body', 'stream_options']
  const detail = [{ type: 'extra_forbidden', loc, msg: 'Extra inputs are not permitted', input: body.stream_options }]
  return {
    status,
    json: { object: 'error', message: { detail }, type: 'invalid_request_error', param: null, code: null },
  }
}

function embeddings({ body, reply }: Call, model: string, counted: number): Answer {
  // A list of numbers is one text given as tokens.
  const isTokens = Array.isArray(body.input) && typeof body.input[0] === 'number'
  const inputs: readonly unknown[] = Array.isArray(body.input) && !isTokens ? body.input : [body.input]
  const tokenised = inputs.reduce<number>((sum, input) => sum + (Array.isArray(input) ? input.length : 0), 0)
  const { counts } = withinInput(generate({ tokens: counted + tokenised, serial: '', cap: 0 }, { ...reply, text: '' }))
  const dimensions = asCount(body.dimensions) ?? (model === 'text-embedding-3-large' ? 3072 : 1536)
  const data = inputs.map((input, index) => {
    const vector = sampleVector(JSON.stringify(input), dimensions)
    return { object: 'embedding', index, embedding: body.encoding_format === 'base64' ? base64(vector) : vector }
  })
  const named = reply.model ?? model
  const usage = (counts: Counts) => ({ prompt_tokens: inputTotal(counts), total_tokens: inputTotal(counts) })
  return {
    status: 200,
    json: { object: 'list', data, model: named, usage: reported(reply, usage(counts)) },
    billable: { model: named, endpoint: 'embeddings', terms: {}, counts, usage },
  }
}

const base64 = (vector: readonly number[]): string => Buffer.from(Float32Array.from(vector).buffer).toString('base64')

function moderation({ body, serial }: Call): Json {
  const names = ['harassment', 'hate', 'illicit', 'self-harm', 'sexual', 'violence']
  const all = <T>(value: T) => Object.fromEntries(names.map((name) => [name, value]))
  const inputs = Array.isArray(body.input) ? body.input : [body.input]
  const result = {
    flagged: false,
    categories: all(false),
    category_scores: all(0),
    category_applied_input_types: all(['text']),
  }
  return { id: `modr-${serial}`, model: body.model ?? 'omni-moderation-latest', results: inputs.map(() => result) }
}

function models(): Json {
  const ids = ['gpt-6-sol', 'gpt-5', 'gpt-5-mini', 'gpt-4o', 'gpt-4o-mini', 'text-embedding-3-small']
  return {
    object: 'list',
    data: ids.map((id) => ({ id, object: 'model', created: 1_750_000_000, owned_by: 'openai' })),
  }
}
