// Rows that are answers of a provider: bare, the line of a batch, or wrapped with what was asked and when.

import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import { hostOf, labelsIn, numberOf, objectOf, textOf, timeOf } from './fields.ts'
import type { LoggedCall, RowReading } from './format.ts'

const TIMES = ['timestamp', 'time', 'started_at', 'created_at', 'created', 'at', 'date'] as const
const REQUESTS = ['request', 'request_body', 'body', 'params'] as const
const RESPONSES = ['response', 'response_body', 'answer', 'output', 'message'] as const

/** `isAnswer`: whether an object, or the chunks of a stream, are what this provider answers. */
export function readAnswerRow(
  row: Json,
  provider: string,
  isAnswer: (answer: Json) => boolean,
  expectation: string,
): RowReading {
  if ('custom_id' in row && (isObject(row['response']) || isObject(row['result'])))
    return { call: batchLine(row, provider) }
  if (isPiece(row))
    return { fault: 'It is a piece of a stream: whole answers are needed, or `response` with the list of its pieces.' }
  if (isAnswer(row)) return { call: callOf(row, {}, row, provider) }
  for (const name of RESPONSES) {
    const response = row[name]
    const given = typeof response === 'string' ? (objectOf(response) ?? response) : response
    const answer = Array.isArray(given) || typeof given === 'string' ? undefined : objectOf(given)
    const isText = typeof given === 'string' && /^\s*(?:data|event):/.test(given)
    if (!Array.isArray(given) && !isText && !(answer && (isAnswer(answer) || isObject(answer['error'])))) continue
    return { call: callOf(row, wrapOf(row), given, provider) }
  }
  if (isObject(row['usage'])) return { call: callOf(row, {}, row, provider) }
  return { fault: `Expected ${expectation}, got an object with none of it.` }
}

interface Wrap {
  readonly request?: Json | undefined
}

function wrapOf(row: Json): Wrap {
  for (const name of REQUESTS) {
    const request = objectOf(row[name])
    if (request) return { request }
  }
  return {}
}

function callOf(row: Json, { request }: Wrap, response: unknown, provider: string): LoggedCall {
  const answer = isObject(response) ? response : {}
  const latency = numberOf(row['duration_ms'] ?? row['latency_ms'])
  const error = isObject(answer['error']) && !isObject(answer['usage']) ? errorOf(answer['error']) : undefined
  return {
    id: textOf(answer['id']) ?? (row === answer ? undefined : textOf(row['id'])),
    at: TIMES.map((name) => timeOf(row[name])).find(Boolean) ?? timeOf(answer['created'] ?? answer['created_at']),
    provider: textOf(row['provider']) ?? provider,
    host: hostOf(row['host'] ?? row['base_url']),
    endpoint: row === answer ? undefined : textOf(row['endpoint'] ?? row['path']),
    model: textOf(answer['model']) ? undefined : textOf(row['model']),
    request,
    response,
    labels: {
      ...labelsIn(objectOf(request?.['metadata'])),
      ...labelsIn(objectOf(answer['metadata'])),
      ...labelsIn(row),
    },
    requestId: textOf(row['request_id']),
    durationMs: latency !== undefined && latency >= 0 ? latency : undefined,
    status: numberOf(row['status_code']),
    error,
  }
}

/** OpenAI's `{ custom_id, response: { body } }` and Anthropic's `{ custom_id, result }`. */
function batchLine(row: Json, provider: string): LoggedCall {
  const response = objectOf(row['response'])
  const result = objectOf(row['result'])
  const body = objectOf(response?.['body']) ?? objectOf(result?.['message']) ?? {}
  const failure = isObject(body['error']) ? errorOf(body['error']) : textOf(result?.['type'])
  return {
    id: textOf(row['id']) ?? textOf(body['id']),
    at: TIMES.map((name) => timeOf(row[name])).find(Boolean) ?? timeOf(body['created'] ?? body['created_at']),
    provider,
    model: textOf(body['model']) ? undefined : textOf(row['model']),
    response: row,
    batch: true,
    labels: { ...labelsIn(objectOf(body['metadata'])), ...labelsIn(row) },
    requestId: textOf(response?.['request_id']),
    status: numberOf(response?.['status_code']),
    error: isObject(body['usage']) ? undefined : (failure ?? 'failed'),
  }
}

function isPiece({ object, type, delta }: Json): boolean {
  if (object === 'chat.completion.chunk') return true
  return (
    typeof type === 'string' &&
    (/^content_block_|^message_(?:start|delta|stop)$/.test(type) || /^response\./.test(type)) &&
    (delta !== undefined || type !== 'message_start')
  )
}

/** Their code, which is a word; never their sentence, which can quote a prompt. */
function errorOf(error: Json): string {
  const code = [error['code'], error['type']].find((one) => typeof one === 'string' && /^[a-z0-9_.-]{1,64}$/i.test(one))
  return typeof code === 'string' ? code : 'failed'
}
