// The usage that a provider never reported: estimated from the request and from what arrived, with bounds.

import { estimateTokens, guessTokens, NO_TOKENS, type TokenEstimate } from '../providers/estimate.ts'
import { type Bucket, tokenTotals } from '../usage.ts'
import type { FinishedCall } from './record.ts'

/** What an estimate goes by. */
export interface Evidence {
  readonly prompt: Iterable<string>
  /** What the provider puts around the prompt, where that is documented. */
  readonly frame?: TokenEstimate | undefined
  /** What of the answer has arrived. */
  readonly generated: Iterable<string>
  /** Nobody has seen the answer: it is made, and billed, all the same. */
  readonly isUnseen: boolean
  /** Output of such calls as a rule. */
  readonly usualOutput: number
}

/** How much longer than usual an answer may be that nobody has seen and nothing caps. */
const LONGEST_TIMES_USUAL = 10

/**
 * The call with what is missing of its usage filled in. What was reported stands: of a broken-off stream Anthropic has
 * reported the input, Google a running total, OpenAI nothing. A count beside one that cannot be is a lower bound.
 */
export async function fillUsage(call: FinishedCall, evidence: Evidence): Promise<FinishedCall> {
  const { isInputKnown, isOutputKnown } = whatIsKnown(call)
  const model = call.reading.model ?? call.facts.model
  const input = isInputKnown ? undefined : await estimateTokens(evidence.prompt, model, evidence.frame)
  // The pieces of a stream are one text: a token is often sent in two.
  const whole = [[...evidence.generated].join('')]
  const output = isOutputKnown || evidence.isUnseen ? undefined : await estimateTokens(whole, model)
  return filled(call, evidence, input, output)
}

/** The same from characters alone: while a process exits there is no time to load a tokenizer. */
export function fillUsageAtOnce(call: FinishedCall, evidence: Evidence): FinishedCall {
  return filled(call, evidence, guessTokens(evidence.prompt, evidence.frame), guessTokens(evidence.generated))
}

function whatIsKnown({ usage = {}, reading }: FinishedCall) {
  const { inputTokens, outputTokens } = tokenTotals(usage)
  const isDoubtful = (reading.flags?.length ?? 0) > 0
  const isInputKnown = inputTokens > 0 && !isDoubtful
  return { inputTokens, outputTokens, isInputKnown, isOutputKnown: outputTokens > 0 && !isDoubtful }
}

/** What stands around the text (roles, names, tools and calls of them as they are rendered) is not published for every model. */
const FRAME_SHARE = 0.15
const FRAME = 8

/** Text can be counted exactly; what a provider makes of it cannot. */
function around({ tokens, low, high }: TokenEstimate): TokenEstimate {
  if (tokens === 0) return NO_TOKENS
  const least = Math.floor(tokens * (1 - FRAME_SHARE))
  const most = Math.ceil(tokens * (1 + FRAME_SHARE)) + FRAME
  return { tokens, low: Math.min(low, least), high: Math.max(high, most) }
}

function filled(
  call: FinishedCall,
  { isUnseen, usualOutput }: Evidence,
  ofPrompt: TokenEstimate = NO_TOKENS,
  ofGenerated: TokenEstimate = NO_TOKENS,
): FinishedCall {
  const { facts, streamEnd } = call
  const known = whatIsKnown(call)
  const cap = facts.maxOutputTokens
  const input = side(known.inputTokens, known.isInputKnown, around(ofPrompt))
  const answer = isUnseen ? unseen(cap, usualOutput) : within(cap, around(ofGenerated))
  const output = side(known.outputTokens, known.isOutputKnown, answer)
  // What arrived is as old as the last event: generation went on until the provider noticed.
  const most = cap ?? usualOutput * LONGEST_TIMES_USUAL
  const high = streamEnd !== undefined ? Math.max(output.high, most) : output.high
  const usage: { [B in Bucket]?: number } = { ...call.usage }
  add(usage, 'input.text', input.tokens - known.inputTokens)
  add(usage, 'output.text', output.tokens - known.outputTokens)
  return {
    ...call,
    usage,
    usageBounds: { inputTokens: [input.low, input.high], outputTokens: [output.low, high] },
  }
}

function side(known: number, isKnown: boolean, { tokens, low, high }: TokenEstimate): TokenEstimate {
  if (isKnown) return { tokens: known, low: known, high: known }
  return { tokens: Math.max(known, tokens), low: Math.max(known, low), high: Math.max(known, high) }
}

function add(usage: { [B in Bucket]?: number }, bucket: Bucket, tokens: number): void {
  if (tokens > 0) usage[bucket] = (usage[bucket] ?? 0) + tokens
}

/** A stream that nobody read is generated, and billed, all the same: as long as such answers usually are. */
function unseen(cap: number | undefined, usual: number): TokenEstimate {
  const tokens = cap === undefined ? usual : Math.min(cap, usual)
  return { tokens, low: 0, high: cap ?? usual * LONGEST_TIMES_USUAL }
}

function within(cap: number | undefined, { tokens, low, high }: TokenEstimate): TokenEstimate {
  if (cap === undefined) return { tokens, low, high }
  return { tokens: Math.min(tokens, cap), low: Math.min(low, cap), high: Math.min(high, cap) }
}
