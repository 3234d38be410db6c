// Mistral's own wire, as its own client and plain HTTP speak it. Shapes and paths: @mistralai/mistralai 2.7.0,
// esm/funcs and esm/models/components.

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { chunkStream, eventStream } from './mistral-stream.ts'
import { readMistralUsage, readPages } from './mistral-usage.ts'
import { texts } from './prompt.ts'
import {
  type Asked,
  type Json,
  type Provider,
  type Reading,
  type RequestFacts,
  type Route,
  UNKNOWN_MODEL,
} from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['temperature', 'top_p', 'n', 'max_tokens', 'random_seed', 'safe_prompt', 'service_tier'])

function facts(
  body: Json,
  stream: boolean,
  maxOutputTokens: number | undefined,
  lists: readonly string[] = [],
): RequestFacts {
  // An agent's model is known to Mistral alone; its answer names it.
  const model = textOf(body['model']) ?? textOf(body['agent_id']) ?? UNKNOWN_MODEL
  return { model, stream, maxOutputTokens, metadata: switches(body, SWITCHES, lists) }
}

function told(answer: Json): Reading {
  const usage = answer['usage']
  return {
    ...readMistralUsage(usage),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: isObject(usage) ? codeOf(usage['service_tier']) : undefined,
  }
}

function finishOf(choices: unknown): string | undefined {
  const [first] = Array.isArray(choices) ? (choices as readonly unknown[]) : []
  return isObject(first) ? codeOf(first['finish_reason']) : undefined
}

const chat: Route = {
  endpoint: 'chat.completions',
  path: /(?:^|\/)chat\/completions$/,
  request: (body, _path, stream) => facts(body, stream, capOf(body['max_tokens'], body['n']), ['messages', 'tools']),
  fields: ['id', 'model', 'usage', 'choices'],
  read: (answer) => ({ ...told(answer), finishReason: finishOf(answer['choices']) }),
  readStream: chunkStream,
  generated: (answer) => texts(answer['choices']),
  prompt: (body) => texts(body['messages'], body['tools'], body['response_format']),
}

/** Text in, numbers out. */
const embeddings: Route = {
  endpoint: 'embeddings',
  path: /(?:^|\/)embeddings$/,
  request: (body) => facts(body, false, 0, ['input']),
  fields: ['id', 'model', 'usage'],
  read: told,
  generated: () => [],
  prompt: (body) => texts(body['input']),
}

/** Sound in, text out. */
const transcriptions: Route = {
  endpoint: 'audio.transcriptions',
  path: /(?:^|\/)audio\/transcriptions$/,
  request: (body, _path, stream) => facts(body, stream, undefined),
  fields: ['id', 'model', 'usage'],
  read: told,
  readStream: eventStream,
  isTextless: true,
  generated: (answer) => texts(answer['text']),
  prompt: () => [],
}

/** Text in, sound out: charged by the character, whatever tokens it counts. */
const speech: Route = {
  endpoint: 'audio.speech',
  path: /(?:^|\/)audio\/speech$/,
  request: (body, _path, stream) => facts(body, stream, undefined),
  fields: [],
  read: (_answer, asked) => spoken(asked),
  readStream: (_isPrepared, asked) => ({
    take: (event) => event,
    reading: () => spoken(asked),
    generated: () => [],
  }),
  isTextless: true,
  generated: () => [],
  prompt: () => [],
}

function spoken(asked: Asked): Reading {
  const { input } = asked.body()
  if (typeof input !== 'string' || input === '') return {}
  const characterCount = Array.from(input).length
  return { usage: { 'unit.input_characters': characterCount }, figures: { characterCount } }
}

const conversations: Route = {
  endpoint: 'conversations',
  // A new one, one more turn of one, and one that begins again somewhere in it.
  path: /(?:^|\/)conversations(?:\/[^/]+(?:\/restart)?)?$/,
  request: (body, _path, stream) => {
    const args = isObject(body['completion_args']) ? body['completion_args'] : {}
    return facts(body, stream, capOf(args['max_tokens']), ['tools'])
  },
  fields: ['conversation_id', 'usage'],
  read: (answer) => ({ ...readMistralUsage(answer['usage']), responseId: textOf(answer['conversation_id']) }),
  readStream: eventStream,
  generated: (answer) => texts(answer['outputs']),
  prompt: (body) => texts(body['inputs'], body['instructions'], body['tools']),
}

/** Pages with annotations are charged more. */
function annotated(asked: RequestFacts, body: Json): RequestFacts {
  const isAnnotated = isObject(body['document_annotation_format']) || isObject(body['bbox_annotation_format'])
  return isAnnotated ? { ...asked, metadata: { ...asked.metadata, annotated: true } } : asked
}

export const mistral: Provider = {
  name: 'mistral',
  wire: 'own',
  hosts: /^(?:[a-z0-9-]+\.)?(?:api|codestral)\.mistral\.ai$/,
  routes: [
    chat,
    {
      ...chat,
      endpoint: 'fim.completions',
      path: /(?:^|\/)fim\/completions$/,
      prompt: (body) => texts(body['prompt'], body['suffix']),
      fim: ({ prompt, suffix }) => ({ prefix: prompt, suffix }),
    },
    { ...chat, endpoint: 'agents.completions', path: /(?:^|\/)agents\/completions$/ },
    embeddings,
    conversations,
    transcriptions,
    speech,
    {
      endpoint: 'ocr',
      path: /(?:^|\/)ocr$/,
      request: (body) => annotated(facts(body, false, 0), body),
      fields: ['model', 'usage_info'],
      read: (answer, { facts: { metadata } }) => ({
        ...readPages(answer['usage_info']),
        model: textOf(answer['model']),
        ...(metadata?.['annotated'] && { variant: 'annotated' }),
      }),
      isTextless: true,
      generated: () => [],
      prompt: () => [],
    },
  ],
}
