// Asks an OpenAI-compatible host for the usage of a stream, in the text of the request as the SDK has encoded it.

import { isObject } from './counts.ts'
import { topLevelFields } from './top-level.ts'

/** Hosts that refuse `stream_options` (Mistral: 422 extra_forbidden) or send usage anyway (OpenRouter). */
const WITHOUT_STREAM_OPTIONS = new Set(['api.mistral.ai', 'openrouter.ai'])

const STREAMS = /"stream"\s*:\s*true/
const OPTIONS = /("stream_options"\s*:\s*)(?:\{[^{}]*\}|null)/g

/**
 * The request with `include_usage`, or `undefined` where it may not or need not be added.
 *
 * The text, not the caller's object: so classes, `toJSON`, numbers beyond those of JavaScript and the objects by which
 * openai 7 recognises its own requests stay what they are. A quoted name that the text holds is a name or a whole
 * string: inside of strings every quote has a backslash.
 */
export function askForUsage(text: string, host: string): string | undefined {
  if (WITHOUT_STREAM_OPTIONS.has(host) || !STREAMS.test(text)) return undefined
  // Azure answers 400 to stream_options beside data_sources.
  if (text.includes('"data_sources"') && has(text, 'data_sources')) return undefined
  if (!text.includes('"stream_options"') || !has(text, 'stream_options')) return withField(text)
  const given = field(text, 'stream_options')
  if (isObject(given) && given['include_usage'] === true) return undefined
  const asked = JSON.stringify({ ...(isObject(given) ? given : undefined), include_usage: true })
  for (const match of text.matchAll(OPTIONS)) {
    const replaced = text.slice(0, match.index) + match[1] + asked + text.slice(match.index + match[0].length)
    // Another field may hold one of the same name, deeper down.
    const now = field(replaced, 'stream_options')
    if (isObject(now) && now['include_usage'] === true) return replaced
  }
  return undefined
}

function withField(text: string): string | undefined {
  const end = text.lastIndexOf('}')
  if (end < 0) return undefined
  return `${text.slice(0, end)},"stream_options":{"include_usage":true}${text.slice(end)}`
}

function field(text: string, name: string): unknown {
  return topLevelFields(text, [name])?.[name]
}

function has(text: string, name: string): boolean {
  return Object.hasOwn(topLevelFields(text, [name]) ?? {}, name)
}
