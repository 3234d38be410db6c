// The wire that the AI SDK speaks with Vercel's AI Gateway, whichever maker's model it asks for.
// Shapes: @ai-sdk/gateway 4 gateway-language-model.ts and gateway-embedding-model.ts, @ai-sdk/provider LanguageModelV3Usage
// and LanguageModelV4Usage; before these, LanguageModelV2Usage with plain numbers.
//
// The model that is asked for stands in a header, which is not looked at: events have the one that the answer names.

import { capOf, codeOf, counts, isObject, textOf, type UsageReading } from './counts.ts'
import { texts } from './prompt.ts'
import { type Json, type Provider, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'

/** `{ total, noCache, cacheRead, cacheWrite }`; a total alone is a number, and may have its parts beside it. */
function readUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const { inputTokens, outputTokens } = usage
  const input = isObject(inputTokens) ? inputTokens : { total: inputTokens, cacheRead: usage['cachedInputTokens'] }
  const output = isObject(outputTokens) ? outputTokens : { total: outputTokens, reasoning: usage['reasoningTokens'] }
  const [asked, read, written] = [
    count.need(input, 'total'),
    count.of(input, 'cacheRead'),
    count.of(input, 'cacheWrite'),
  ]
  const [made, reasoning] = [count.need(output, 'total'), count.of(output, 'reasoning')]
  return count.reading(
    {
      'input.text': Math.max(0, asked - read - written),
      'input.text.cache_read': read,
      'input.text.cache_write': written,
      'output.text': Math.max(0, made - reasoning),
      'output.reasoning': reasoning,
    },
    usage,
    [],
  )
}

function readAnswer({ usage, finishReason, response }: Json): Reading {
  const { id, modelId } = isObject(response) ? response : {}
  return {
    ...readUsage(usage),
    model: textOf(modelId),
    responseId: textOf(id),
    finishReason: codeOf(isObject(finishReason) ? finishReason['unified'] : finishReason),
  }
}

/** Parts of the SDK's own stream: the response's `response-metadata`, and the usage with `finish`. */
function partStream(): StreamReader {
  let finish: Json = {}
  let response: Json = {}
  const generated: string[] = []
  return {
    take(event) {
      if (event['type'] === 'finish') finish = event
      if (event['type'] === 'response-metadata') response = event
      if (typeof event['delta'] === 'string') generated.push(event['delta'])
      return event
    },
    reading: () => readAnswer({ usage: finish['usage'], finishReason: finish['finishReason'], response }),
    generated: () => generated,
  }
}

const language: Route = {
  endpoint: 'language-model',
  path: /\/ai\/language-model$/,
  request: (body, _path, stream) => ({ model: UNKNOWN_MODEL, stream, maxOutputTokens: capOf(body['maxOutputTokens']) }),
  fields: ['usage', 'finishReason', 'response'],
  read: readAnswer,
  readStream: partStream,
  generated: (answer) => texts(answer['content']),
  prompt: (body) => texts(body['prompt'], body['tools']),
}

const embedding: Route = {
  endpoint: 'embedding-model',
  path: /\/ai\/embedding-model$/,
  request: () => ({ model: UNKNOWN_MODEL, stream: false, maxOutputTokens: 0 }),
  fields: ['usage'],
  read({ usage }) {
    if (!isObject(usage)) return {}
    const count = counts()
    return count.reading({ 'input.text': count.need(usage, 'tokens') }, usage, [])
  },
  generated: () => [],
  prompt: (body) => texts(body['values']),
}

export const vercel: Provider = {
  name: 'vercel',
  wire: 'own',
  hosts: /^ai-gateway\.vercel\.sh$/,
  routes: [language, embedding],
}
