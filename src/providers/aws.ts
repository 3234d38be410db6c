// Amazon Bedrock's own wire: Converse, whose answers are the same for every maker's models, and InvokeModel with those
// of Anthropic. (Its OpenAI-compatible endpoints are in hosts.ts.)
// Shapes: docs.aws.amazon.com/bedrock/latest/APIReference API_runtime_Converse, API_runtime_TokenUsage, 2026-11.

import { messageStream, readMessage } from './anthropic-message.ts'
import { capOf, codeOf, counts, isObject, type Quantities, textOf, type UsageReading } from './counts.ts'
import { checkUsage, usageShape } from './invariants.ts'
import { texts } from './prompt.ts'
import { type Json, type Provider, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const TOTALS = ['inputTokens', 'outputTokens', 'totalTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens'] as const

/** Examples of AWS's own count the cache into the total, and leave it out. */
const CONVERSE_SHAPE = usageShape({
  sums: [
    {
      whole: 'totalTokens',
      parts: ['inputTokens', 'outputTokens'],
      or: ['inputTokens', 'outputTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens'],
    },
    {
      whole: 'cacheWriteInputTokens',
      flag: 'cacheDetails',
      when: 'cacheDetails[].inputTokens',
      parts: ['cacheDetails[].inputTokens'],
    },
  ],
})

/** `inputTokens` are those beside the cache, as at Anthropic. */
function readConverseUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const written = count.of(usage, 'cacheWriteInputTokens')
  const details = Array.isArray(usage['cacheDetails']) ? (usage['cacheDetails'] as unknown[]) : []
  let hour = 0
  let minutes = 0
  for (const detail of details) {
    const tokens = count.of(detail, 'inputTokens')
    if (isObject(detail) && detail['ttl'] === '1h') hour += tokens
    else minutes += tokens
  }
  // What is not told apart has the usual life; of a list that does not cover it, the dearest that can be meant.
  const rest = Math.max(0, written - hour - minutes)
  const quantities: Quantities = {
    'input.text': count.need(usage, 'inputTokens'),
    'input.text.cache_read': count.of(usage, 'cacheReadInputTokens'),
    'input.text.cache_write_5m': minutes + (details.length === 0 ? rest : 0),
    'input.text.cache_write_1h': hour + (details.length === 0 ? 0 : rest),
    'output.text': count.need(usage, 'outputTokens'),
  }
  checkUsage(count, usage, CONVERSE_SHAPE)
  return count.reading(quantities, usage, TOTALS)
}

/** `{ type: 'flex' }` in an answer; the latency that was asked for has prices of its own. */
function tierOf({ serviceTier, performanceConfig }: Json): Pick<Reading, 'serviceTier'> {
  const isOptimized = isObject(performanceConfig) && performanceConfig['latency'] === 'optimized'
  const tier = isOptimized ? 'optimized' : isObject(serviceTier) ? codeOf(serviceTier['type']) : undefined
  return tier === undefined ? {} : { serviceTier: tier }
}

function readConverse(answer: Json): Reading {
  return {
    ...readConverseUsage(answer['usage']),
    finishReason: codeOf(answer['stopReason']),
    ...tierOf(answer),
  }
}

/** The usage comes with the last event. */
function converseStream(): StreamReader {
  let last: Json = {}
  let stop: unknown
  const generated: string[] = []
  return {
    take(event) {
      const { metadata, messageStop, contentBlockDelta } = event
      if (isObject(metadata)) last = metadata
      if (isObject(messageStop)) stop = messageStop['stopReason']
      if (isObject(contentBlockDelta)) generated.push(...texts(contentBlockDelta['delta']))
      return event
    },
    reading: () => readConverse({ ...last, stopReason: stop }),
    generated: () => generated,
  }
}

/** `/model/us.anthropic.claude-opus-5-v1%3A0/converse`. */
function modelIn(path: string): string {
  const name = /\/model\/([^/]+)\//.exec(path)?.[1]
  try {
    return textOf(name && decodeURIComponent(name)) ?? UNKNOWN_MODEL
  } catch {
    return name ?? UNKNOWN_MODEL
  }
}

const converse: Route = {
  endpoint: 'converse',
  path: /\/model\/[^/]+\/converse$/,
  request(body, path, stream) {
    const config = isObject(body['inferenceConfig']) ? body['inferenceConfig'] : {}
    return {
      model: modelIn(path),
      stream,
      maxOutputTokens: capOf(config['maxTokens']),
      metadata: switches(config, new Set(['maxTokens', 'temperature', 'topP']), []),
    }
  },
  fields: ['usage', 'stopReason', 'serviceTier', 'performanceConfig'],
  read: readConverse,
  readStream: converseStream,
  generated: (answer) => texts(answer['output']),
  prompt: (body) => texts(body['messages'], body['system'], body['toolConfig']),
}

const invoke: Route = {
  ...converse,
  endpoint: 'invoke',
  path: /\/model\/[^/]*anthropic\.[^/]+\/invoke$/,
  request: (body, path, stream) => ({
    model: modelIn(path),
    stream,
    maxOutputTokens: capOf(body['max_tokens']),
    metadata: switches(body, new Set(['max_tokens', 'temperature', 'top_p', 'top_k']), ['messages', 'tools']),
  }),
  fields: ['id', 'model', 'usage', 'stop_reason'],
  // The answer has Anthropic's name of the model, and the price is that of Bedrock's, which the path has.
  read: (answer) => ({ ...readMessage(answer), model: undefined }),
  readStream: () => {
    const inner = messageStream()
    return { ...inner, reading: () => ({ ...inner.reading(), model: undefined }) }
  },
  generated: (answer) => texts(answer['content']),
  prompt: (body) => texts(body['system'], body['messages'], body['tools']),
}

export const aws: Provider = {
  name: 'aws',
  wire: 'own',
  hosts: /^bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/,
  routes: [converse, invoke],
}
