// What came as an answer, in any of the forms that people keep: the body, its text, a stream, the line of a batch, or
// the usage alone.

import { expected, MeterError } from '../errors.ts'
import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'

export interface Answer {
  /** The one object, or the events of a stream in their order. */
  readonly objects: readonly Json[]
  readonly isStream: boolean
  /** It was the line of a batch's results. */
  readonly isBatch: boolean
}

export function answerOf(response: unknown): Answer {
  const told = typeof response === 'string' ? parsed(response) : response
  const given = Array.isArray(told) ? alone(told) : told
  if (Array.isArray(given)) {
    const objects = (given as unknown[])
      .map((event) => (typeof event === 'string' ? eventIn(event) : event))
      .filter(isObject)
    if (objects.length === 0 || objects.length < given.length - ENDS)
      throw new MeterError('BAD_INPUT', expected('response', 'an answer or the list of its chunks', given))
    if (isSeveral(objects))
      throw new MeterError(
        'BAD_INPUT',
        `Expected \`response\` to be one answer, got ${objects.length}: price them one at a time.`,
      )
    return { objects, isStream: true, isBatch: false }
  }
  if (!isObject(given)) throw new MeterError('BAD_INPUT', expected('response', EXPECTATION, response))
  const line = lineOf(given)
  const body = line ?? given
  return {
    objects: [isBareUsage(body) ? withUsage(body) : body],
    isStream: false,
    isBatch: !!line,
  }
}

/** A list of one that is no piece of a stream: a whole answer, the line of a batch, a usage. */
function alone(list: readonly unknown[]): unknown {
  const [first] = list
  const one = typeof first === 'string' ? eventIn(first) : first
  if (list.length !== 1 || !isObject(one)) return list
  return isWhole(one) || (isGoogles(one) && !('candidates' in one)) ? one : list
}

/** The chunks of a stream are of one answer: several that are whole, or that have ids of their own, are not. */
function isSeveral(objects: readonly Json[]): boolean {
  if (objects.filter(isWhole).length > 1) return true
  const ids = objects.filter((one) => isGoogles(one) || one['object'] === 'text_completion')
  return new Set(ids.map((one) => one['responseId'] ?? one['response_id'] ?? one['id']).filter(Boolean)).size > 1
}

const WHOLE_OBJECTS = ['chat.completion', 'response', 'list', 'video']

function isWhole(one: Json): boolean {
  const { object, type, usage, event_type } = one
  if (lineOf(one) !== undefined || ('custom_id' in one && 'error' in one) || isBareUsage(one)) return true
  if (typeof object === 'string') return WHOLE_OBJECTS.includes(object)
  if (typeof type === 'string') return type === 'message' && isObject(usage)
  return (
    event_type === undefined && !('choices' in one) && !isGoogles(one) && (isObject(usage) || isObject(one['meta']))
  )
}

function isGoogles(one: Json): boolean {
  return 'candidates' in one || isObject(one['usageMetadata']) || isObject(one['usage_metadata'])
}

/** Where every provider has it; Google's in the words of its client for Python. */
function withUsage(usage: Json): Json {
  return Object.keys(usage).some((name) => name.endsWith('_token_count'))
    ? { usage_metadata: usage }
    : { usage, usageMetadata: usage }
}

const EXPECTATION = "the provider's answer: its body as an object or as JSON, the chunks of its stream, or its usage"
/** `[DONE]` is no object. */
const ENDS = 1

/** JSON, JSON lines, or server-sent events as they travel. */
function parsed(text: string): unknown {
  const whole = json(text)
  if (whole !== undefined) return whole
  const events = text
    .split(/\r\n|\n|\r/)
    .map(eventIn)
    .filter((event) => event !== undefined)
  return events.length > 0 ? events : undefined
}

function eventIn(line: string): unknown {
  return json(line.replace(/^\s*data:/, ''))
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** The answer within a line of a batch's results: OpenAI's, Anthropic's, Google's. */
function lineOf(line: Json): Json | undefined {
  const { response, result } = line
  if ('custom_id' in line) {
    if (isObject(response) && isObject(response['body'])) return response['body']
    if (isObject(result) && isObject(result['message'])) return result['message']
    return undefined
  }
  return 'key' in line && isObject(response) ? response : undefined
}

/** Beside one of these the usage stands within. */
const WHOLE = ['usage', 'usageMetadata', 'usage_metadata', 'usage_info', 'meta', 'tool_usage', 'candidates', 'choices']
const COUNT = /(?:_tokens|_token_count|TokenCount|Tokens)$/

function isBareUsage(body: Json): boolean {
  if (WHOLE.some((name) => name in body) || typeof body['object'] === 'string') return false
  if (isObject(body['billed_units']) || body['type'] === 'duration') return true
  const names = Object.keys(body)
  return names.some((name) => COUNT.test(name)) || (names.length === 1 && /^(?:characters|seconds)$/.test(names[0]!))
}
