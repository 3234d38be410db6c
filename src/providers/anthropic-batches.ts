// Anthropic's message batches: created now, made within a day, told line by line in a file of results.
// Shapes: @anthropic-ai/sdk 1.12.0 resources/messages/batches.d.ts (MessageBatch, MessageBatchIndividualResponse).

import { readMessage } from './anthropic-message.ts'
import { capOf, isObject, textOf } from './counts.ts'
import { texts } from './prompt.ts'
import {
  type Asked,
  type JobResult,
  type Json,
  type Reading,
  type RequestFacts,
  type Route,
  UNKNOWN_MODEL,
} from './provider.ts'

const NOTHING = () => []

function paramsOf(body: Json): Json[] {
  const requests = Array.isArray(body['requests']) ? (body['requests'] as unknown[]) : []
  return requests.flatMap((request) => (isObject(request) && isObject(request['params']) ? [request['params']] : []))
}

/** A batch of several models is held for at the prices of its first. */
function facts(body: Json): RequestFacts {
  const all = paramsOf(body)
  const caps = all.map((params) => capOf(params['max_tokens']))
  const cap = caps.every((one) => one !== undefined) ? caps.reduce((sum, one) => sum + one, 0) : undefined
  return {
    model: textOf(all[0]?.['model']) ?? UNKNOWN_MODEL,
    stream: false,
    ...(cap !== undefined && { maxOutputTokens: cap }),
    metadata: { requests_count: all.length, service_tier: 'batch' },
  }
}

function read(answer: Json): Reading {
  const id = textOf(answer['id'])
  if (id === undefined) return {}
  return { responseId: id, job: { id, state: 'split' } }
}

/** Billed is what succeeded; what errored, expired or was canceled is not. */
function readLine(line: Json, { path }: Asked): JobResult | undefined {
  const result = line['result']
  const message = isObject(result) && result['type'] === 'succeeded' ? result['message'] : undefined
  const job = BATCH.exec(path)?.[1]
  if (!isObject(message) || job === undefined) return undefined
  const reading = readMessage(message)
  const id = reading.responseId ?? `${job}#${textOf(line['custom_id']) ?? ''}`
  return { job, id, endpoint: 'messages', reading: { ...reading, serviceTier: 'batch' } }
}

const BATCH = /\/batches\/([^/]+)/

const batch = {
  fields: ['id'],
  read,
  generated: NOTHING,
  isUsageOptional: true,
} as const

const aboutBatch = {
  ...batch,
  endpoint: 'messages.batches',
  isFollowUp: true,
  request: (): RequestFacts => ({ model: UNKNOWN_MODEL, stream: false }),
  prompt: NOTHING,
} as const

export const batchRoutes: readonly Route[] = [
  {
    ...batch,
    endpoint: 'messages.batches',
    path: /(?:^|\/)v1\/messages\/batches$/,
    request: facts,
    requestFields: ['requests'],
    prompt: (body) => texts(...paramsOf(body).flatMap(({ system, messages, tools }) => [system, messages, tools])),
  },
  { ...aboutBatch, method: 'get', path: /(?:^|\/)v1\/messages\/batches\/[^/]+$/ },
  { ...aboutBatch, method: 'get', path: /(?:^|\/)v1\/messages\/batches\/[^/]+\/results$/, readLine },
]
