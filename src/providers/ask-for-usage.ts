// Asks an OpenAI-compatible host for the usage of a stream, in the text of the request as the SDK has encoded it.

import { isObject } from './counts.ts'
import { NEVER_ASKED_BESIDE } from './hosts.ts'
import type { Json } from './provider.ts'
import { topLevelFields } from './top-level.ts'

const STREAMS = /"stream"\s*:\s*true/
const OPTIONS = /("stream_options"\s*:\s*)(?:\{[^{}]*\}|null)/g

/**
 * The request with `include_usage`, or `undefined` where it may not or need not be added.
 *
 * The text, not the caller's object: so classes, `toJSON`, numbers beyond those of JavaScript and the objects by which
 * openai 7 recognises its own requests stay what they are. A quoted name that the text holds is a name or a whole
 * string: inside of strings every quote has a backslash.
 */
export function askForUsage(text: string, request?: { readonly body: unknown }): string | undefined {
  if (asksItself(request?.body)) return undefined
  if (!STREAMS.test(text)) return undefined
  if (text.includes(`"${NEVER_ASKED_BESIDE}"`) && field(text, NEVER_ASKED_BESIDE) !== undefined) return undefined
  const given = text.includes('"stream_options"') ? field(text, 'stream_options') : undefined
  if (given === undefined) return withField(text)
  if (isObject(given) && given['include_usage'] === true) return undefined
  // vLLM's running totals come only beside `include_usage`: a caller without it has never seen one.
  const { continuous_usage_stats: _, ...kept } = isObject(given) ? given : {}
  const asked = JSON.stringify({ ...kept, include_usage: true })
  for (const match of text.matchAll(OPTIONS)) {
    const replaced = text.slice(0, match.index) + match[1] + asked + text.slice(match.index + match[0].length)
    // Another field may hold one of the same name, deeper down.
    const now = field(replaced, 'stream_options')
    if (isObject(now) && now['include_usage'] === true) return replaced
  }
  return undefined
}

/** The caller's own object says so already, and its text, which may be long, need not be searched. */
function asksItself(body: unknown): boolean {
  const options = isPlain(body) ? body['stream_options'] : undefined
  return isPlain(options) && options['include_usage'] === true
}

/** Its JSON has the fields that the object has, and none that it inherits or makes up. */
function isPlain(value: unknown): value is Json {
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype && typeof value['toJSON'] !== 'function'
}

function withField(text: string): string | undefined {
  const end = text.lastIndexOf('}')
  if (end < 0) return undefined
  return `${text.slice(0, end)},"stream_options":{"include_usage":true}${text.slice(end)}`
}

/** `undefined` where there is none: JSON has no such value. */
function field(text: string, name: string): unknown {
  return topLevelFields(text, [name])?.[name]
}
