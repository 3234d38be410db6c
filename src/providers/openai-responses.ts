// OpenAI's responses: made at once or in the background, streamed, cancelled, asked for later, compacted.
// Shapes: openai 7.57.0 resources/responses/responses.d.ts (Response, Response.ToolUsage, CompactedResponse).

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { readImageUsage } from './openai-media-usage.ts'
import { factsOf } from './openai-request.ts'
import { readResponseUsage, type ToolFees } from './openai-usage.ts'
import { responseOutput } from './output-control.ts'
import { texts } from './prompt.ts'
import { type Asked, type Json, type Reading, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'
import { parsedArray } from './top-level.ts'

const FIELDS = ['id', 'model', 'usage', 'tool_usage', 'service_tier', 'status', 'error', 'background']

/** What draws where a request names no model for it (responses.d.ts, Tool.ImageGeneration.model). */
const USUAL_IMAGE_MODEL = 'gpt-image-2.6-sunburst'

export function readResponse(answer: Json, asked?: Asked): Reading {
  const failed = answer['error']
  const status = codeOf(answer['status'])
  const items = hostedCalls(answer['output'])
  const usage = readResponseUsage(answer['usage'], answer['tool_usage'], feesOf(items, asked))
  return {
    ...usage,
    ...drawn(answer, items, asked, usage),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
    finishReason: status,
    // A response in the background is answered before it is made; its usage comes with `GET /responses/{id}`.
    ...jobOf(answer),
    error: isObject(failed)
      ? (codeOf(failed['code']) ?? 'response_failed')
      : status === 'cancelled'
        ? status
        : undefined,
  }
}

function jobOf(answer: Json): Pick<Reading, 'job'> {
  const id = textOf(answer['id'])
  if (answer['background'] !== true || id === undefined) return {}
  const isOpen = answer['status'] === 'queued' || answer['status'] === 'in_progress'
  return { job: { id, state: isOpen ? 'open' : 'over', isText: true } }
}

const NOTHING: readonly Json[] = []
const HOSTED = /"(?:web_search|file_search|code_interpreter|image_generation)_call"/

/** What OpenAI's own tools have left in the output; the output of all other answers is not looked into. */
function hostedCalls(output: unknown): readonly Json[] {
  if (typeof output === 'string' && !(output.includes('_call"') && HOSTED.test(output))) return NOTHING
  return parsedArray(output).filter(isObject)
}

function ofType(items: readonly Json[], type: string): readonly Json[] {
  return items.filter((item) => item['type'] === type)
}

function feesOf(items: readonly Json[], asked: Asked | undefined): ToolFees | undefined {
  if (items.length === 0) return undefined
  const searches = ofType(items, 'web_search_call').filter(
    ({ action }) => !isObject(action) || action['type'] === 'search',
  )
  return {
    // Only where the answer has no `tool_usage`, which counts those that are billed.
    webSearches: searches.length,
    fileSearches: ofType(items, 'file_search_call').length,
    codeSessions: newContainers(ofType(items, 'code_interpreter_call'), asked),
  }
}

/**
 * Containers are billed as they are made, at a price for each gigabyte of their memory (0.03 dollars for 1 GB to 1.92 for
 * 64): not those that the application has made itself, or has from an earlier answer.
 */
function newContainers(calls: readonly Json[], asked: Asked | undefined): number {
  const ids = new Set(calls.flatMap(({ container_id }) => textOf(container_id) ?? []))
  if (ids.size === 0 || !asked) return ids.size
  const { tools, input } = asked.body()
  const gigabytes = memoryOf(parsedArray(tools))
  const known = JSON.stringify([tools, parsedArray(input).filter((item) => isObject(item) && 'container_id' in item)])
  for (const id of ids) if (known.includes(JSON.stringify(id))) ids.delete(id)
  return ids.size * gigabytes
}

/** 1 GB unless the request asks for more (responses.d.ts, Tool.CodeInterpreter.memory_limit). */
function memoryOf(tools: readonly unknown[]): number {
  const tool = tools.filter(isObject).find(({ type }) => type === 'code_interpreter')
  const limit = isObject(tool?.['container']) ? tool['container']['memory_limit'] : undefined
  const match = typeof limit === 'string' ? /^(\d{1,3})g$/.exec(limit) : null
  return match ? Number(match[1]) : 1
}

/** Images are drawn by a model of their own, at its own prices. */
function drawn(
  answer: Json,
  items: readonly Json[],
  asked: Asked | undefined,
  own: Pick<Reading, 'flags' | 'reported'>,
): Pick<Reading, 'others' | 'figures' | 'flags' | 'reported'> {
  const tools = answer['tool_usage']
  const said = isObject(tools) ? tools['image_gen'] : undefined
  if (!isObject(said) || Object.values(said).every((count) => typeof count !== 'number' || count === 0)) return {}
  const { usage = {}, figures, flags = [], reported } = readImageUsage(said)
  const count = ofType(items, 'image_generation_call').filter(({ status }) => status !== 'failed').length
  const drawer = [...parsedArray(answer['tools']), ...parsedArray(asked?.body()['tools'])]
    .filter(isObject)
    .find(({ type, model }) => type === 'image_generation' && textOf(model) !== undefined)
  return {
    others: [{ model: textOf(drawer?.['model']) ?? USUAL_IMAGE_MODEL, usage }],
    figures: count > 0 ? { ...figures, imageCount: count } : figures,
    ...(flags.length > 0 && {
      flags: [...(own.flags ?? []), ...flags.map((flag) => `image_gen.${flag}`)],
      reported: { ...own.reported, ...reported },
    }),
  }
}

/** Deltas that are no text of the model: sound in base64, and what a command printed. */
const NOT_GENERATED = new Set(['response.audio.delta', 'response.shell_call_output_content.delta'])

const OVER = new Set(['response.completed', 'response.incomplete', 'response.failed'])

export function responseStream(asked?: Asked): StreamReader {
  let last: Json | undefined
  let error: string | undefined
  let isOver = false
  const generated: string[] = []
  return {
    take(event) {
      const type = event['type']
      if (typeof type !== 'string') return event
      if (type.endsWith('.delta')) {
        if (typeof event['delta'] === 'string' && !NOT_GENERATED.has(type)) generated.push(event['delta'])
      } else if (type === 'error') error = codeOf(event['code']) ?? 'stream_error'
      else if (isObject(event['response'])) {
        last = event['response']
        isOver = OVER.has(type)
      }
      return event
    },
    reading() {
      const reading = last ? readResponse(last, asked) : {}
      return { ...(isOver ? reading : beforeUsage(reading)), ...(error !== undefined && { error }) }
    },
    generated: () => generated,
  }
}

/** One in the background goes on where its stream breaks off, and may be asked for: what it counted so far is not its usage. */
function beforeUsage({ usage: _, flags, reported, isPartial, others, figures, ...rest }: Reading): Reading {
  return rest
}

const create: Route = {
  endpoint: 'responses',
  path: /(?:^|\/)responses$/,
  request: (body, _path, stream) => factsOf(body, stream, capOf(body['max_output_tokens']), ['tools']),
  output: responseOutput,
  fields: FIELDS,
  textFields: ['output', 'tools'],
  read: readResponse,
  readStream: (_isPrepared, asked) => responseStream(asked),
  generated: (answer) => texts(answer['output']),
  prompt: (body) => texts(body['input'], body['instructions'], body['tools'], body['text']),
}

const retrieve: Route = {
  ...create,
  method: 'get',
  path: /(?:^|\/)responses\/[^/]+$/,
  isFollowUp: true,
  request: (_body, _path, stream) => ({ model: UNKNOWN_MODEL, stream }),
  prompt: () => [],
}

const { readStream: _, output: __, ...whole } = create

export const responses: readonly Route[] = [
  create,
  retrieve,
  {
    ...retrieve,
    method: 'post',
    path: /(?:^|\/)responses\/[^/]+\/cancel$/,
  },
  {
    ...whole,
    endpoint: 'responses.compact',
    path: /(?:^|\/)responses\/compact$/,
    read: (answer, { facts }) => ({
      ...readResponseUsage(answer['usage']),
      responseId: textOf(answer['id']),
      // A compaction does not name its model.
      model: textOf(answer['model']) ?? facts.model,
      serviceTier: codeOf(answer['service_tier']),
    }),
  },
]
