// An input bounded: its text as counted, what stands around messages and tools, and how the calls of its model usually are.

import type { LLMEvent } from '../event.ts'
import { frameOf } from '../providers/chat-frame.ts'
import { mostFrame } from '../providers/estimate.ts'
import type { Json } from '../providers/provider.ts'
import { sizeOfRequest } from '../providers/request-size.ts'
import type { AuditedText } from './labels.ts'
import { NO_TEXT, NOT_REPORTED } from './output-check.ts'
import { type Counters, farShare } from './tokenizers.ts'

export interface CountedInput {
  readonly label: 'BOUNDED'
  /** All of it, cache reads and writes included, as the provider says. */
  readonly billed: number
  /** Its texts alone, and the least and most that they come to. */
  readonly tokens: number
  readonly low: number
  readonly high: number
  /** What stands around them. */
  readonly frame: { readonly low: number; readonly high: number }
  readonly isOwn: boolean
  /** Mostly written in another script than the Latin one: tokenizers differ by another factor there. */
  readonly isFar: boolean
}

export type CheckedInput = CountedInput | { readonly label: 'UNVERIFIABLE'; readonly why: string }

/**
 * Tools are rendered in a form of each maker's own: shorter than their JSON, or longer. Anthropic's prompt for their use
 * is billed too: 290 to 804 tokens (platform.claude.com, tool use overview, read 2026-11-21).
 */
const TOOLS_LOW_PERCENT = 50
const TOOL_TOKENS = 60
const TOOL_PROMPT_TOKENS = 850

export async function checkInput(
  event: LLMEvent,
  text: AuditedText | undefined,
  counters: Counters,
): Promise<CheckedInput | undefined> {
  const billed = event.inputTokens ?? 0
  if (!(billed > 0)) return undefined
  if (event.usageSource !== 'reported') return { label: 'UNVERIFIABLE', why: NOT_REPORTED }
  const texts = text?.prompt().filter((one) => one !== '') ?? []
  if (!text || texts.length === 0) return { label: 'UNVERIFIABLE', why: NO_TEXT }
  const { request } = text
  const beside = besideText(event, request)
  if (beside !== undefined) return { label: 'UNVERIFIABLE', why: beside }
  const { count, isOwn } = counters(event.provider, event.model)
  const { tokens, low, high } = await count(texts)
  return {
    label: 'BOUNDED',
    billed,
    tokens,
    ...withTools(event.provider, request, { low, high }),
    frame: frameAround(event, request, texts.length),
    isOwn,
    isFar: farShare(texts) > 0.3,
  }
}

/** What the provider counts as input and we cannot: pictures, sound, what it has stored itself. */
function besideText({ provider, endpoint, model, usage = {} }: LLMEvent, request: Json): string | undefined {
  const media = ['input.audio', 'input.image', 'input.video', 'input.text.tool_use'] as const
  if (media.some((bucket) => (usage[bucket] ?? 0) > 0)) return 'It has more than text in it.'
  const facts = { model, stream: false }
  const size = sizeOfRequest(request, facts, { provider, endpoint, isTextless: false })
  if (size.unbounded.length > 0) return `Nothing bounds a part of it: ${size.unbounded[0]}.`
  if (size.rounds > 1) return 'Its tools are hosted, and what they put into it was not seen.'
  return size.inputTokens > 0 || Object.keys(size.units).length > 0 ? 'It has more than text in it.' : undefined
}

function toolsIn(request: Json): number {
  return [request['tools'], request['functions']].reduce<number>(
    (sum, list) => sum + (Array.isArray(list) ? list.length : 0),
    0,
  )
}

function withTools(provider: string, request: Json, { low, high }: { readonly low: number; readonly high: number }) {
  const tools = toolsIn(request)
  if (tools === 0) return { low, high }
  const prompt = provider === 'openai' || provider === 'azure' ? 0 : TOOL_PROMPT_TOKENS
  return { low: Math.floor((low * TOOLS_LOW_PERCENT) / 100), high: high + tools * TOOL_TOKENS + prompt }
}

function frameAround({ provider, endpoint }: LLMEvent, request: Json, texts: number) {
  const documented = frameOf(provider, endpoint, request)
  return documented ? { low: documented.low, high: documented.high } : { low: 0, high: mostFrame(texts) }
}

/** How the inputs of one model usually are: as billed over as counted. */
export interface Usual {
  readonly ratio: number
  /** Per cent around it in which nearly all of them are. */
  readonly percent: number
}

/** Fewer calls say nothing of what is usual, and of shorter texts what stands around them is too large a part. */
const CALLS_OF_A_RATIO = 8
const FEWEST_TOKENS = 50
/** Of what is spread evenly around its middle nearly all is within so many times the middle distance from it. */
const DISTANCES = 4

export function usualOf(inputs: readonly CountedInput[], leastPercent: number): Usual | undefined {
  const ratios = inputs.filter(({ tokens }) => tokens >= FEWEST_TOKENS).map(ratioOf)
  if (ratios.length < CALLS_OF_A_RATIO) return undefined
  const ratio = middleOf(ratios)
  const distance = middleOf(ratios.map((one) => Math.abs(one - ratio)))
  return { ratio, percent: Math.max(leastPercent, Math.ceil((100 * DISTANCES * distance) / ratio)) }
}

function ratioOf({ billed, tokens, frame }: CountedInput): number {
  return Math.max(0, billed - (frame.low + frame.high) / 2) / tokens
}

/** Of an even number, the lower of the two. */
export function middleOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1] ?? 0
}

/** Newer models put some tokens around a prompt that nobody has written about: more than a share of a short one. */
const UNTOLD_TOKENS = 16

/** What tokenizers and frames allow, narrowed to what is usual where the two have anything in common. */
export function bandOf(
  { tokens, low, high, frame, isOwn }: CountedInput,
  usual: Usual | undefined,
  percent: number,
): { readonly low: number; readonly high: number } {
  const widest = isOwn
    ? {
        low: Math.max(0, Math.floor(((low + frame.low) * (100 - percent)) / 100) - UNTOLD_TOKENS),
        high: Math.ceil(((high + frame.high) * (100 + percent)) / 100) + UNTOLD_TOKENS,
      }
    : { low: low + frame.low, high: high + frame.high }
  if (!usual || tokens < FEWEST_TOKENS) return widest
  const near = {
    low: Math.floor((tokens * usual.ratio * (100 - usual.percent)) / 100) + frame.low,
    high: Math.ceil((tokens * usual.ratio * (100 + usual.percent)) / 100) + frame.high,
  }
  const both = { low: Math.max(near.low, widest.low), high: Math.min(near.high, widest.high) }
  return both.low <= both.high ? both : widest
}
