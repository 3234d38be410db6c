// Google's generateContent, whole and streamed.

import {
  type Choice,
  type Counts,
  type Generation,
  inputTotal,
  outputTotal,
  progressOf,
  reported,
  textOf,
  upTo,
} from './generation.ts'
import type { Answer, Billable, Call, Json, SseEvent } from './wire.ts'

export function details(byModality: Readonly<Record<string, number>>): Json[] {
  return Object.entries(byModality)
    .filter(([, tokenCount]) => tokenCount > 0)
    .map(([modality, tokenCount]) => ({ modality, tokenCount }))
}

/** Cached input is within the prompt; thoughts and what tools brought in are beside it. A count of zero is left out. */
export function usageMetadata(counts: Counts, tier: Json): Json {
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

/** Google charges no cache writes. */
export function asGoogle(counts: Counts): Counts {
  const input = counts.input + counts.cacheWrite + counts.cacheWrite1h
  return { ...counts, input, cacheWrite: 0, cacheWrite1h: 0 }
}

export function content(call: Call, model: string, generation: Generation, isStream: boolean): Answer {
  const { reply, path, query } = call
  const queries = generation.counts.webSearches
  // Before Gemini 3 a prompt is charged that was grounded, and not each query of it.
  const searches = /gemini-[12]/.test(model) ? Math.min(queries, 1) : queries
  const counts = { ...asGoogle(generation.counts), webSearches: searches }
  const maps = reply.mapsSearches ?? 0
  const grounded = grounding(queries, maps)
  const isVertex = path.includes('/projects/')
  const tier: Json = isVertex
    ? { trafficType: reply.serviceTier ?? 'ON_DEMAND' }
    : reply.serviceTier === undefined
      ? {}
      : { serviceTier: reply.serviceTier }
  const usage = (counts: Counts) => usageMetadata(counts, tier)
  const tail = { modelVersion: model, responseId: `emu-${call.serial}` }
  const billable: Billable = {
    model,
    endpoint: isStream ? 'streamGenerateContent' : 'generateContent',
    responseId: tail.responseId,
    terms: { tier: reply.serviceTier },
    counts,
    ...(maps > 0 && { extras: { mapsSearch: 1 } }),
    usage,
  }
  if (!isStream) {
    const candidates = generation.choices.map((choice, index) =>
      candidate(parts(choice), index, END[choice.end], index === 0 ? grounded : {}),
    )
    const json = { candidates, usageMetadata: reported(reply, usage(counts)), ...tail }
    return { status: 200, json, billable }
  }
  const events = stream(generation, grounded, (generated) => ({
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

/** Only the first few of what was found are told, and each query. */
function grounding(queries: number, maps: number): Json {
  if (queries === 0 && maps === 0) return {}
  const chunk =
    maps > 0 ? { maps: { uri: 'https://maps.example', title: 'Here' } } : { web: { uri: 'https://web.example' } }
  return {
    groundingMetadata: {
      groundingChunks: [chunk],
      ...(queries > 0 && { webSearchQueries: Array.from({ length: queries }, (_, index) => `query ${index}`) }),
    },
  }
}

function candidate(parts: readonly Json[], index: number, finishReason?: string, more: Json = {}): Json {
  return { content: { parts, role: 'model' }, ...(finishReason !== undefined && { finishReason }), ...more, index }
}

/** Every chunk carries the running total; a function call comes whole, in one chunk. */
function* stream(generation: Generation, grounded: Json, tail: (generated: number) => Json): Generator<SseEvent> {
  const next = progressOf(generation)
  let generated = 0
  for (const [index, choice] of generation.choices.entries()) {
    for (const text of choice.pieces ?? []) {
      generated = next()
      yield { data: { candidates: [candidate([{ text }], index)], ...tail(generated) }, generated }
    }
    if (index === generation.choices.length - 1) generated = outputTotal(generation.counts)
    const calls = parts({ ...choice, pieces: undefined })
    const last = candidate(
      calls.length > 0 ? calls : [{ text: '' }],
      index,
      END[choice.end],
      index === 0 ? grounded : {},
    )
    yield { data: { candidates: [last], ...tail(generated) }, generated }
  }
}
