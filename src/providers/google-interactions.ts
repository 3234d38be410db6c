// Google's interactions: each request to them is one, whole, streamed or in the background.
// Shapes: @google/genai 3.1.0 genai.d.ts (Interaction, Usage, InteractionSSEEvent).

import { capOf, codeOf, isObject, type Quantities, textOf } from './counts.ts'
import { type Names, readUsageMetadata } from './google-usage.ts'
import { texts } from './prompt.ts'
import {
  type Asked,
  type Job,
  type Json,
  type Reading,
  type RequestFacts,
  type Route,
  type StreamReader,
  UNKNOWN_MODEL,
} from './provider.ts'
import { switches } from './switches.ts'

/** Thoughts and the prompts of tools stand apart, cached input within the input: as in `usageMetadata`, by other names. */
const NAMES: Names = {
  input: 'total_input_tokens',
  output: 'total_output_tokens',
  total: 'total_tokens',
  cached: 'total_cached_tokens',
  thoughts: 'total_thought_tokens',
  toolUse: 'total_tool_use_tokens',
  inputDetails: 'input_tokens_by_modality',
  outputDetails: 'output_tokens_by_modality',
  cacheDetails: 'cached_tokens_by_modality',
  tokens: 'tokens',
}

const FEES = new Map<unknown, keyof Quantities>([
  ['google_search', 'fee.web_search'],
  ['google_maps', 'fee.maps_search'],
  ['retrieval', 'fee.file_search'],
])

function feesOf(usage: unknown): Quantities {
  const fees: Quantities = {}
  const tools = isObject(usage) ? usage['grounding_tool_count'] : undefined
  if (!Array.isArray(tools)) return fees
  for (const tool of tools as unknown[]) {
    const fee = isObject(tool) ? FEES.get(tool['type']) : undefined
    const count = isObject(tool) ? tool['count'] : undefined
    if (fee && typeof count === 'number' && count > 0 && Number.isSafeInteger(count))
      fees[fee] = (fees[fee] ?? 0) + count
  }
  return fees
}

const OPEN = new Set<unknown>(['queued', 'in_progress'])

/** What is told of it again, by its id, counts once. */
function readInteraction(answer: Json): Reading {
  const id = textOf(answer['id'])
  const { status } = answer
  const state: Job['state'] = OPEN.has(status) ? 'open' : 'over'
  const tier = codeOf(answer['service_tier'])
  return {
    ...readUsageMetadata(answer['usage'], feesOf(answer['usage']), NAMES),
    responseId: id,
    model: textOf(answer['model']) ?? textOf(answer['agent']),
    finishReason: state === 'over' ? codeOf(status) : undefined,
    ...(tier !== undefined && { serviceTier: tier }),
    // What was not told is estimated at once, or not at all.
    ...(id !== undefined && (state === 'open' || isObject(answer['usage'])) && { job: { id, state, isText: true } }),
    ...(status === 'failed' && { error: 'interaction_failed' }),
  }
}

/** The running total of usage stands in several events; it is whole with `interaction.completed`. */
function interactionStream(_isPrepared: boolean, { facts }: Asked): StreamReader {
  let last: Json = {}
  let usage: unknown
  let isCompleted = false
  let error: string | undefined
  const generated: string[] = []
  return {
    take(event) {
      const { interaction, delta, metadata, step } = event
      if (isObject(interaction)) last = { ...last, ...interaction }
      usage =
        [
          isObject(interaction) && interaction['usage'],
          event['usage'],
          isObject(metadata) && metadata['total_usage'],
        ].find(isObject) ?? usage
      switch (event['event_type']) {
        case 'interaction.completed':
          isCompleted = true
          break
        case 'interaction.status_update':
          last = { ...last, id: last['id'] ?? event['interaction_id'], status: event['status'] }
          break
        case 'step.start':
          if (isObject(step)) generated.push(...texts(step['content'], step['arguments']))
          break
        case 'step.delta':
          if (isObject(delta)) generated.push(...texts(delta['text'], delta['arguments'], delta['summary']))
          break
        case 'error':
          error = isObject(event['error']) ? (codeOf(event['error']['code']) ?? 'stream_error') : 'stream_error'
      }
      return event
    },
    reading() {
      const { job, finishReason, ...reading } = readInteraction({ ...last, usage })
      if (error !== undefined) return { ...reading, error, ...(reading.usage && { isPartial: true }) }
      if (isCompleted) return { ...reading, finishReason, ...(job && { job: { ...job, state: 'over' } }) }
      // Nobody has to read on for it to go on.
      if (facts.metadata?.['background'] === true && job) return { ...reading, job: { ...job, state: 'open' } }
      return reading.usage ? { ...reading, isPartial: true } : reading
    },
    generated: () => generated,
  }
}

const SWITCHES = new Set(['temperature', 'top_p', 'max_output_tokens', 'seed', 'thinking_level'])
const OPTIONS = new Set(['background', 'store', 'service_tier'])

function factsOf(body: Json, _path: string, stream: boolean): RequestFacts {
  const config = isObject(body['generation_config']) ? body['generation_config'] : {}
  const metadata = { ...switches(body, OPTIONS, ['tools']), ...switches(config, SWITCHES, []) }
  const cap = capOf(config['max_output_tokens'])
  return {
    model: textOf(body['model']) ?? textOf(body['agent']) ?? UNKNOWN_MODEL,
    stream,
    ...(cap !== undefined && { maxOutputTokens: cap }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

const interaction = {
  endpoint: 'interactions',
  fields: ['id', 'model', 'agent', 'status', 'usage', 'service_tier', 'steps', 'outputs'],
  read: readInteraction,
  readStream: interactionStream,
  generated: (answer: Json) => texts(answer['steps'], answer['outputs']),
} as const

const asking = {
  ...interaction,
  isFollowUp: true,
  request: (_body: Json, _path: string, stream: boolean): RequestFacts => ({ model: UNKNOWN_MODEL, stream }),
  requestFields: [],
  prompt: () => [],
} as const

export const interactionRoutes: readonly Route[] = [
  {
    ...interaction,
    path: /(?:^|\/)interactions$/,
    request: factsOf,
    requestFields: ['model', 'agent', 'generation_config', 'tools', ...OPTIONS],
    prompt: (body) => texts(body['input'], body['system_instruction'], body['tools']),
  },
  { ...asking, method: 'get', path: /(?:^|\/)interactions\/[^/]+$/ },
  { ...asking, path: /(?:^|\/)interactions\/[^/]+\/cancel$/ },
]
