// How a limit keeps the output of a call short: where each wire has the cap of it, and whose streams show all that they bill.

import { isObject } from './counts.ts'
import type { Json, OutputControl } from './provider.ts'
import { spanOfField } from './top-level.ts'

const CHAT_CAPS = ['max_completion_tokens', 'max_tokens'] as const

/** Models of OpenAI's that do not reason: what the others think is billed as output, and no event of a stream shows it. */
const PLAIN_OPENAI = /^(?:ft:)?(?:chatgpt-4o|gpt-4|gpt-3\.5)/
/** Only these hosts are known to serve those models under those names. */
const OPENAI_HOSTS = new Set(['openai', 'azure'])

/** OpenAI's reasoning models refuse `max_tokens`; many hosts that speak its wire know nothing else. */
export const chatOutput: OutputControl = {
  capFields: CHAT_CAPS,
  capField: (provider) => (OPENAI_HOSTS.has(provider) ? 'max_completion_tokens' : 'max_tokens'),
  isSeen: (_body, { model }, provider) => OPENAI_HOSTS.has(provider) && PLAIN_OPENAI.test(model),
}

export const responseOutput: OutputControl = {
  capFields: ['max_output_tokens'],
  isSeen: (body, facts, provider) => body['background'] !== true && chatOutput.isSeen!(body, facts, provider),
}

/** Models that think only where they are asked to: of the later ones it depends on the model (messages.d.ts, `thinking`). */
const THINKS_WHEN_ASKED = /^claude-(?:3|(?:opus|sonnet|haiku)-4)/

export const messageOutput: OutputControl = {
  capFields: ['max_tokens'],
  // `max_tokens` must be above the budget of the thoughts, or the request is refused.
  isCapFixed: ({ thinking }) => isObject(thinking) && thinking['budget_tokens'] !== undefined,
  isSeen: ({ thinking }, { model }) =>
    isObject(thinking) ? thinking['type'] === 'disabled' : thinking === undefined && THINKS_WHEN_ASKED.test(model),
}

const PLAIN_GEMINI = /^(?:gemini-(?:1|2\.0)|gemma)/

export const contentOutput: OutputControl = {
  capFields: ['generationConfig.maxOutputTokens'],
  // The same object by its other name, which Google takes too.
  isCapFixed: (body) => 'generation_config' in body,
  isSeen: (body, { model }) => PLAIN_GEMINI.test(model) || thinkingBudget(body) === 0,
}

function thinkingBudget({ generationConfig }: Json): unknown {
  const thinking = isObject(generationConfig) ? generationConfig['thinkingConfig'] : undefined
  return isObject(thinking) ? thinking['thinkingBudget'] : undefined
}

/**
 * The request with an output of at most so many tokens, or `undefined` for a text that is no request. The text, and not
 * the caller's object; everything else in it stays as it is.
 */
export function withCap(text: string, control: OutputControl, tokens: number, provider: string): string | undefined {
  const { capFields, capField } = control
  let capped: string | undefined
  for (const field of capFields) {
    const known = valueAt(capped ?? text, field.split('.'))
    if (typeof known === 'number') capped = withValue(capped ?? text, field.split('.'), String(Math.min(known, tokens)))
  }
  return capped ?? withValue(text, (capField?.(provider) ?? capFields[0]!).split('.'), String(tokens))
}

function valueAt(text: string, [name, ...within]: readonly string[]): unknown {
  const span = spanOfField(text, name!)
  if (!span?.isThere) return undefined
  const value = text.slice(span.start, span.end)
  if (within.length > 0) return valueAt(value, within)
  return /^\d/.test(value) ? Number(value) : undefined
}

function withValue(text: string, [name, ...within]: readonly string[], value: string): string | undefined {
  const span = spanOfField(text, name!)
  if (span === undefined) return undefined
  const { start, end, isThere } = span
  const inner = within.length > 0 ? withValue(innerOf(text.slice(start, end)), within, value) : value
  if (inner === undefined) return undefined
  if (isThere) return text.slice(0, start) + inner + text.slice(end)
  return `${text.slice(0, start)}${span.isFirst ? '' : ','}${JSON.stringify(name)}:${inner}${text.slice(end)}`
}

/** `null`, or nothing, is an object without fields. */
function innerOf(text: string): string {
  return text.startsWith('{') ? text : '{}'
}
