// Google's wire: generateContent whole and streamed, embeddings, the free count of tokens, and its errors.

import {
  type Choice,
  type Counts,
  type Generation,
  generate,
  inputTotal,
  outputTotal,
  progressOf,
  reported,
  textOf,
  upTo,
} from './generation.ts'
import { type Answer, asCount, type Call, type Failure, isJson, type Json, type SseEvent, type Wire } from './wire.ts'
import { countTokens, sampleVector } from './words.ts'

/** `/v1beta/models/m:verb`, `/v1/…`, and Vertex' `/v1beta1/projects/p/locations/l/publishers/google/models/m:verb`. */
const PATH = /\/(?:models|tunedModels|endpoints)\/([^/:]+):(\w+)$/

const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

function failure({ status, message, code }: Failure): Json {
  const name = code ?? STATUSES[status] ?? (status < 500 ? 'FAILED_PRECONDITION' : 'INTERNAL')
  return { error: { code: status, message: message ?? `Emulated ${status}.`, status: name } }
}

function answer(call: Call): Answer {
  const { method, path, body, reply } = call
  const [, name, verb] = PATH.exec(path) ?? []
  const reject = (status: number, message: string): Answer => ({ status, json: failure({ status, message }) })
  if (method !== 'POST' || name === undefined) return reject(404, `${method} ${path} was not found.`)
  const model = reply.model ?? decodeURIComponent(name)
  const config = isJson(body.generationConfig) ? body.generationConfig : {}
  const asked = isJson(body.generateContentRequest) ? body.generateContentRequest : body
  const tokens = countTokens([asked.systemInstruction, asked.contents, asked.tools])
  switch (verb) {
    case 'generateContent':
    case 'streamGenerateContent': {
      if (!Array.isArray(body.contents)) return reject(400, 'contents is not specified')
      const cap = asCount(config.maxOutputTokens)
      const prompt = { tokens, cap, choices: asCount(config.candidateCount), serial: call.serial }
      return content(call, model, generate(prompt, reply), verb === 'streamGenerateContent')
    }
    case 'countTokens':
      return { status: 200, json: { totalTokens: tokens, promptTokensDetails: details({ TEXT: tokens }) } }
    case 'embedContent':
      return embeddings(call, model, [body], (values) => ({ embedding: values[0] }))
    case 'batchEmbedContents': {
      if (!Array.isArray(body.requests)) return reject(400, 'requests is not specified')
      return embeddings(call, model, body.requests, (values) => ({ embeddings: values }))
    }
    default:
      return reject(404, `models/${name} is not supported for ${verb}.`)
  }
}

export const googleWire: Wire = {
  provider: 'google',
  lineEnd: '\r\n',
  answer,
  failure,
  failureEvent: (reason) => ({ data: failure(reason) }),
  headers: () => ({ server: 'scaffolding on HTTPServer2', vary: 'Origin, X-Origin, Referer' }),
}

function details(byModality: Readonly<Record<string, number>>): Json[] {
  return Object.entries(byModality)
    .filter(([, tokenCount]) => tokenCount > 0)
    .map(([modality, tokenCount]) => ({ modality, tokenCount }))
}

/** Cached input is within the prompt; thoughts and what tools brought in are beside it. A count of zero is left out. */
function usageMetadata(counts: Counts, tier: Json): Json {
  const prompt = inputTotal(counts)
  return {
    promptTokenCount: prompt,
    ...(counts.output > 0 && { candidatesTokenCount: counts.output }),
    totalTokenCount: prompt + counts.toolUse + outputTotal(counts),
    ...(counts.cacheRead > 0 && {
      cachedContentTokenCount: counts.cacheRead,
      cacheTokensDetails: details({ TEXT: counts.cacheRead }),
    }),
    promptTokensDetails: details({ TEXT: prompt - counts.audioInput, AUDIO: counts.audioInput }),
    ...(counts.output > 0 && { candidatesTokensDetails: details({ TEXT: counts.output }) }),
    ...(counts.toolUse > 0 && {
      toolUsePromptTokenCount: counts.toolUse,
      toolUsePromptTokensDetails: details({ TEXT: counts.toolUse }),
    }),
    ...(counts.reasoning > 0 && { thoughtsTokenCount: counts.reasoning }),
    ...tier,
  }
}

/** Google charges no cache writes, and no search by the piece that an answer would say. */
function asGoogle(counts: Counts): Counts {
  const input = counts.input + counts.cacheWrite + counts.cacheWrite1h
  return { ...counts, input, cacheWrite: 0, cacheWrite1h: 0, webSearches: 0 }
}

function content(call: Call, model: string, generation: Generation, isStream: boolean): Answer {
  const { reply, path, query } = call
  const counts = asGoogle(generation.counts)
  const isVertex = path.includes('/projects/')
  const tier: Json = isVertex
    ? { trafficType: reply.serviceTier ?? 'ON_DEMAND' }
    : reply.serviceTier === undefined
      ? {}
      : { serviceTier: reply.serviceTier }
  const usage = (counts: Counts) => usageMetadata(counts, tier)
  const tail = { modelVersion: model, responseId: `emu-${call.serial}` }
  const billable = {
    model,
    endpoint: isStream ? 'streamGenerateContent' : 'generateContent',
    responseId: tail.responseId,
    terms: { tier: reply.serviceTier },
    counts,
    usage,
  }
  if (!isStream) {
    const candidates = generation.choices.map((choice, index) => candidate(parts(choice), index, END[choice.end]))
    const json = { candidates, usageMetadata: reported(reply, usage(counts)), ...tail }
    return { status: 200, json, billable }
  }
  const events = stream(generation, (generated) => ({
    usageMetadata: reported(reply, usage(upTo(counts, generated))),
    ...tail,
  }))
  // Without `alt=sse` the same chunks come as one JSON list.
  if (query.alt !== 'sse') return { status: 200, json: [...events].map(({ data }) => data), billable }
  return { status: 200, events, billable }
}

const END = { stop: 'STOP', length: 'MAX_TOKENS', tool_calls: 'STOP' } as const

function parts(choice: Choice): Json[] {
  const text = textOf(choice)
  const calls = choice.toolCalls.map(({ name, args, id }) => ({ functionCall: { name, args, id } }))
  return text === null ? calls : [{ text }, ...calls]
}

function candidate(parts: readonly Json[], index: number, finishReason?: string): Json {
  return { content: { parts, role: 'model' }, ...(finishReason !== undefined && { finishReason }), index }
}

/** Every chunk carries the running total; a function call comes whole, in one chunk. */
function* stream(generation: Generation, tail: (generated: number) => Json): Generator<SseEvent> {
  const next = progressOf(generation)
  let generated = 0
  for (const [index, choice] of generation.choices.entries()) {
    for (const text of choice.pieces ?? []) {
      generated = next()
      yield { data: { candidates: [candidate([{ text }], index)], ...tail(generated) }, generated }
    }
    if (index === generation.choices.length - 1) generated = outputTotal(generation.counts)
    const calls = parts({ ...choice, pieces: undefined })
    const last = candidate(calls.length > 0 ? calls : [{ text: '' }], index, END[choice.end])
    yield { data: { candidates: [last], ...tail(generated) }, generated }
  }
}

function embeddings(
  { reply, body }: Call,
  model: string,
  requests: readonly unknown[],
  shape: (values: readonly Json[]) => Json,
): Answer {
  const asked = requests.filter(isJson)
  const tokens = countTokens(asked.map(({ content }) => (isJson(content) ? content.parts : content)))
  const counts = asGoogle(generate({ tokens, cap: 0, serial: '' }, { ...reply, text: '' }).counts)
  const values = asked.map((request) => {
    const dimensions = asCount(request.outputDimensionality) ?? asCount(body.outputDimensionality) ?? 3072
    return { values: sampleVector(JSON.stringify(request.content ?? ''), dimensions) }
  })
  const usage = (counts: Counts) => usageMetadata(counts, {})
  return {
    status: 200,
    json: { ...shape(values), usageMetadata: reported(reply, usage(counts)) },
    billable: {
      model,
      endpoint: asked.length === 1 && 'content' in body ? 'embedContent' : 'batchEmbedContents',
      terms: {},
      counts,
      usage,
    },
  }
}
