// Google's batches: of contents and of embeddings, whose results come with the batch, or in a file of lines.
// Shapes: @google/genai 3.1.0, what its `batchJobFromMldev` and `batchJobFromVertex` take; lines as the Gemini API
// documents them (ai.google.dev/gemini-api/docs/batch-api).

import { capOf, counts, isObject, textOf } from './counts.ts'
import { readContent } from './google-content.ts'
import { modelOf } from './google-path.ts'
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

function requestsOf(body: Json): Json[] {
  const config = isObject(body['batch']) ? body['batch']['inputConfig'] : undefined
  const wrapped = isObject(config) && isObject(config['requests']) ? config['requests']['requests'] : undefined
  const list = Array.isArray(wrapped) ? (wrapped as unknown[]) : []
  return list.flatMap((entry) => (isObject(entry) && isObject(entry['request']) ? [entry['request']] : []))
}

function facts(body: Json, path: string): RequestFacts {
  const requests = requestsOf(body)
  const caps = requests.map(({ generationConfig: config }) =>
    isObject(config) ? capOf(config['maxOutputTokens'], config['candidateCount']) : undefined,
  )
  const isCapped = requests.length > 0 && caps.every((one) => one !== undefined)
  const isEmbedding = path.endsWith(':asyncBatchEmbedContent')
  const cap = isEmbedding ? 0 : isCapped ? caps.reduce((sum, one) => sum + one, 0) : undefined
  return {
    model: path.includes(':') ? modelOf(path) : (textOf(body['model'])?.split('/').at(-1) ?? UNKNOWN_MODEL),
    stream: false,
    ...(cap !== undefined && { maxOutputTokens: cap }),
    metadata: {
      ...(requests.length > 0 && { requests_count: requests.length }),
      service_tier: 'batch',
    },
  }
}

function readBatch(answer: Json, { facts }: Asked): Reading {
  const id = textOf(answer['name'])
  if (id === undefined) return {}
  const about = isObject(answer['metadata']) ? answer['metadata'] : answer
  const output = [about['output'], answer['response']].find(isObject) ?? {}
  const file = textOf(output['responsesFile'])
  const model = modelIn(about['model']) ?? facts.model
  const results = [
    ...inlined(output['inlinedResponses'], id, model, 'generateContent'),
    ...inlined(output['inlinedEmbedContentResponses'], id, model, 'embedContent'),
  ]
  return {
    responseId: id,
    model: modelIn(about['model']),
    job: { id, state: 'split', ...(file !== undefined && { aliases: [file] }) },
    ...(results.length > 0 && { results }),
  }
}

/** `models/gemini-3.8-flash`, or with a publisher before it. */
function modelIn(name: unknown): string | undefined {
  return textOf(name)?.split('/').at(-1)
}

function inlined(wrapped: unknown, job: string, model: string, endpoint: string): JobResult[] {
  const list = isObject(wrapped) ? wrapped['inlinedResponses'] : wrapped
  if (!Array.isArray(list)) return []
  return (list as unknown[]).flatMap((entry, index) =>
    isObject(entry) && isObject(entry['response'])
      ? [resultOf(entry['response'], job, `${job}#${index}`, model, endpoint)]
      : [],
  )
}

function resultOf(response: Json, job: string, place: string, model: string | undefined, endpoint: string): JobResult {
  const reading = endpoint === 'embedContent' ? readEmbedding(response) : readContent(response, model ?? '')
  return {
    job,
    id: reading.responseId ?? place,
    endpoint,
    ...(model !== undefined && { modelRequested: model }),
    reading: { ...reading, serviceTier: 'batch' },
  }
}

/** Numbers that may be long come as text. */
function numberIn(value: unknown): unknown {
  return typeof value === 'string' ? Number(value) : value
}

function readEmbedding(response: Json): Reading {
  if (response['tokenCount'] === undefined) return {}
  const count = counts()
  const said = { tokenCount: numberIn(response['tokenCount']) }
  return count.reading({ 'input.text': count.need(said, 'tokenCount') }, said, ['tokenCount'])
}

/** A line of a file that has the results of a batch; the lines of any other file are none of ours. */
function readLine(line: Json, { path }: Asked): JobResult | undefined {
  const file = /files\/[^/:]+/.exec(path)?.[0]
  const response = line['response']
  if (file === undefined || !isObject(response)) return undefined
  const isContent = isObject(response['usageMetadata']) || Array.isArray(response['candidates'])
  if (!isContent && response['embedding'] === undefined) return undefined
  const place = `${file}#${textOf(line['key']) ?? ''}`
  return resultOf(response, file, place, undefined, isContent ? 'generateContent' : 'embedContent')
}

const MADE = /^JOB_STATE_(?:PARTIALLY_)?SUCCEEDED$/

/** Vertex AI writes the results into the application's own storage, where nobody here reads them. */
function readPrediction(answer: Json): Reading {
  const id = textOf(answer['name'])
  if (id === undefined) return {}
  const isMade = MADE.test(textOf(answer['state']) ?? '')
  return {
    responseId: id,
    model: modelIn(answer['model']),
    serviceTier: 'batch',
    ...(isMade && { flags: ['unseen:results'] }),
    job: { id, state: isMade ? 'over' : 'split' },
  }
}

const batch = { endpoint: 'batches', generated: NOTHING, isUsageOptional: true, isTextless: true } as const
const ofGemini = { ...batch, fields: ['name', 'metadata', 'response'], read: readBatch } as const
const ofVertex = { ...batch, fields: ['name', 'state', 'model'], read: readPrediction } as const
const asking = {
  isFollowUp: true,
  request: (): RequestFacts => ({ model: UNKNOWN_MODEL, stream: false }),
  requestFields: [],
  prompt: NOTHING,
} as const

export const batchRoutes: readonly Route[] = [
  {
    ...ofGemini,
    path: /:(?:batchGenerateContent|asyncBatchEmbedContent)$/,
    request: facts,
    requestFields: ['batch'],
    prompt: (body) => texts(...requestsOf(body)),
  },
  { ...ofGemini, ...asking, method: 'get', path: /(?:^|\/)batches\/[^/:]+$/ },
  {
    ...batch,
    ...asking,
    method: 'get',
    path: /(?:^|\/)files\/[^/:]+:download$/,
    fields: [],
    read: () => ({}),
    readLine,
  },
  {
    ...ofVertex,
    path: /(?:^|\/)batchPredictionJobs$/,
    request: facts,
    requestFields: ['model'],
    prompt: NOTHING,
  },
  { ...ofVertex, ...asking, method: 'get', path: /(?:^|\/)batchPredictionJobs\/[^/:]+$/ },
]
