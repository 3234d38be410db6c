// OpenAI's batches: who started one, which files have its results, and what each line of them came to.
// Shapes: openai 7.57.0 resources/batches.d.ts; a line of results: developers.openai.com/api/docs/guides/batch.

import { isObject, textOf } from './counts.ts'
import { factsOf } from './openai-request.ts'
import { type Asked, type Job, type JobResult, type Json, type Reading, type Route, UNKNOWN_MODEL } from './provider.ts'
import { parsedArray } from './top-level.ts'

const FIELDS = ['id', 'status', 'model', 'output_file_id', 'error_file_id']

function readBatch(batch: Json): Reading {
  const id = textOf(batch['id'])
  if (id === undefined) return {}
  const files = [batch['output_file_id'], batch['error_file_id']].flatMap((file) => textOf(file) ?? [])
  const job: Job = { id, state: 'split', aliases: files }
  return { model: textOf(batch['model']), job }
}

const asking = {
  isFollowUp: true,
  request: () => ({ model: UNKNOWN_MODEL, stream: false }),
  generated: () => [],
  prompt: () => [],
} as const

const create: Route = {
  endpoint: 'batches',
  path: /(?:^|\/)batches$/,
  request: (body) => factsOf(body, false),
  requestFields: ['completion_window'],
  fields: FIELDS,
  isTextless: true,
  isUsageOptional: true,
  read: readBatch,
  generated: () => [],
  prompt: () => [],
}

/** The part of a route that reads an answer of its endpoint, for a line that has one. */
type BodyReader = (body: Json, asked: Asked) => Reading

/** A line does not say which endpoint it is of, and its body does: the object that it is, or the fields that it has. */
function kindOf(body: Json): string | undefined {
  switch (body['object']) {
    case 'chat.completion':
      return 'chat.completions'
    case 'response':
      return 'responses'
    case 'text_completion':
      return 'completions'
    case 'list':
      return 'embeddings'
    case 'video':
      return 'videos'
    default:
      return Array.isArray(body['data']) && 'created' in body ? 'images.generate' : undefined
  }
}

/** One line of a file with results; what is none of them, or failed, was not billed. */
function readLine(line: Json, asked: Asked, readers: ReadonlyMap<string, BodyReader>): JobResult | undefined {
  const id = textOf(line['id'])
  const { response } = line
  if (id === undefined || !isObject(response) || !('custom_id' in line) || !isObject(response['body'])) return undefined
  const { body } = response
  const endpoint = kindOf(body)
  const read = endpoint === undefined ? undefined : readers.get(endpoint)
  if (response['status_code'] !== 200 || endpoint === undefined || !read) return undefined
  const { job: _, ...reading } = read(body, asked)
  return { job: fileOf(asked.path), id, endpoint, reading: { ...reading, serviceTier: 'batch' } }
}

const FILE = /(?:^|\/)files\/([^/]+)\/content$/

function fileOf(path: string): string {
  return FILE.exec(path)?.[1] ?? path
}

/** `billable`: the routes whose calls a batch may make. */
export function batches(billable: readonly Route[]): readonly Route[] {
  const readers = new Map<string, BodyReader>()
  for (const { endpoint, method = 'post', isFollowUp, read } of billable)
    if (method === 'post' && !isFollowUp && !readers.has(endpoint)) readers.set(endpoint, read)
  const one = { ...asking, endpoint: 'batches', fields: FIELDS, read: readBatch }
  return [
    create,
    { ...one, method: 'get', path: /(?:^|\/)batches\/[^/]+$/ },
    { ...one, path: /(?:^|\/)batches\/[^/]+\/cancel$/ },
    {
      ...asking,
      endpoint: 'batches',
      method: 'get',
      path: create.path,
      fields: ['data'],
      read: (answer) => ({ listed: parsedArray(answer['data']).filter(isObject).map(readBatch) }),
    },
    {
      ...asking,
      endpoint: 'batches',
      method: 'get',
      path: FILE,
      fields: [],
      read: () => ({}),
      readLine: (line, asked) => readLine(line, asked, readers),
    },
  ]
}
