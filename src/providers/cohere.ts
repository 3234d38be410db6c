// Cohere's wire, both versions of it: what is charged stands in `usage` (v2 chat) or `meta` (everything else).
// Shapes and paths: cohere-ai 8.1.0, Client.js, api/resources/v2 and serialization/types.

import { readCohereUsage } from './cohere-usage.ts'
import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { texts } from './prompt.ts'
import { type Json, type Provider, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['temperature', 'p', 'k', 'max_tokens', 'top_n', 'output_dimension', 'input_type', 'priority'])

function factsOf(body: Json, stream: boolean, maxOutputTokens: number | undefined, lists: readonly string[]) {
  const model = textOf(body['model']) ?? UNKNOWN_MODEL
  return { model, stream, maxOutputTokens, metadata: switches(body, SWITCHES, lists) }
}

/** No answer names its model. v1 chat has its own id beside that of the generation. */
function read(answer: Json): Reading {
  return {
    ...readCohereUsage(answer['usage'] ?? answer['meta']),
    responseId: textOf(answer['response_id']) ?? textOf(answer['generation_id']) ?? textOf(answer['id']),
    finishReason: codeOf(answer['finish_reason']),
  }
}

/** v2 chat: events with a `type`; v1 chat and generate: lines with an `event_type`, the last with the whole answer. */
function chatStream(): StreamReader {
  let id: unknown
  let last: Json = {}
  let finish: unknown
  let error: string | undefined
  const generated: string[] = []
  return {
    take(event) {
      id ??= event['generation_id'] ?? event['id']
      const delta = isObject(event['delta']) ? event['delta'] : {}
      if (event['type'] === 'message-end') {
        last = delta
        finish = delta['finish_reason']
        if (delta['error']) error = codeOf(delta['error']) ?? 'stream_error'
      } else if (event['event_type'] === 'stream-end') {
        last = isObject(event['response']) ? event['response'] : {}
        finish = event['finish_reason']
      } else generated.push(...texts(delta['message'], event['text'], event['tool_call_delta']))
      return event
    },
    reading() {
      const { responseId, ...told } = read(last)
      return {
        ...told,
        responseId: responseId ?? textOf(id),
        finishReason: codeOf(finish),
        ...(error !== undefined && { error }),
      }
    },
    generated: () => generated,
  }
}

const chat: Route = {
  endpoint: 'chat',
  path: /(?:^|\/)chat$/,
  request: (body, _path, stream) =>
    factsOf(body, stream, capOf(body['max_tokens']), ['messages', 'tools', 'documents']),
  fields: ['id', 'response_id', 'generation_id', 'finish_reason', 'usage', 'meta'],
  read,
  readStream: chatStream,
  generated: (answer) => texts(answer['message'], answer['text'], answer['tool_calls'], answer['generations']),
  prompt: (body) =>
    texts(
      ...[body['messages'], body['message'], body['chat_history'], body['preamble']],
      ...[body['documents'], body['tools'], body['tool_results'], body['response_format']],
    ),
}

/** Whose answer is no text. */
function plain(endpoint: string, path: RegExp, lists: readonly string[], input: readonly string[]): Route {
  return {
    endpoint,
    path,
    request: (body) => factsOf(body, false, 0, lists),
    fields: ['id', 'meta'],
    read,
    generated: () => [],
    prompt: (body) => texts(...input.map((name) => body[name])),
  }
}

export const cohere: Provider = {
  name: 'cohere',
  wire: 'own',
  hosts: /^api\.cohere\.(?:com|ai)$/,
  routes: [
    chat,
    { ...chat, endpoint: 'generate', path: /(?:^|\/)generate$/, prompt: (body) => texts(body['prompt']) },
    {
      ...plain('summarize', /(?:^|\/)summarize$/, [], ['text', 'additional_command']),
      request: (body) => factsOf(body, false, undefined, []),
      generated: (answer) => texts(answer['summary']),
    },
    plain('embed', /(?:^|\/)embed$/, ['texts', 'images', 'inputs'], ['texts', 'inputs']),
    { ...plain('rerank', /(?:^|\/)rerank$/, ['documents'], []), isTextless: true },
    { ...plain('classify', /(?:^|\/)classify$/, ['inputs'], []), isTextless: true },
    { ...plain('parse', /(?:^|\/)v2\/parse$/, [], []), isTextless: true },
    {
      // The answer has the text and nothing of the sound's length, which is what is charged.
      ...plain('audio.transcriptions', /(?:^|\/)audio\/transcriptions$/, [], []),
      read: () => ({ figures: { durationUnavailable: true } }),
      isTextless: true,
      isUsageOptional: true,
    },
  ],
}
