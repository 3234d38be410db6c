// One call judged while what was said in it is in memory: what is kept of it afterwards are counts and hashes.

import { hashOf, type Prefix, prefixesOf, readPrefix } from '../call/content-hash.ts'
import { MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import type { PicoUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { type CheckedInput, checkInput } from './input-check.ts'
import type { AuditedCall, AuditedText, KeptHashes, Tolerances } from './labels.ts'
import { isAnotherModel } from './model-names.ts'
import { readMp4, videoTokens } from './mp4.ts'
import { type Checked, checkOutput, textsOf } from './output-check.ts'
import { type Spend, spendOf } from './spend.ts'
import type { Counters } from './tokenizers.ts'

export interface JudgedVideo {
  readonly billed: number
  readonly tokens: number
}

export interface JudgedCall {
  readonly id: string
  readonly at: number
  readonly provider: string
  readonly model: string
  readonly spend: Spend | undefined
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly output: Checked | undefined
  /** The output by the encodings that other models are published in, where it is not what its own makes of it. */
  readonly otherwise: readonly (readonly [encoding: string, tokens: number])[]
  readonly input: CheckedInput | undefined
  readonly prefixes: readonly Prefix[]
  readonly video: JudgedVideo | { readonly why: string } | undefined
  /** The text of the log is not the one that the process was given. */
  readonly isOtherText: boolean
  /** The model that was asked for, where another one answered. */
  readonly askedFor: string | undefined
}

export interface JudgeContext {
  readonly book: Pick<PriceBook, 'version' | 'price' | 'why'>
  readonly counters: Counters
  readonly tolerances: Tolerances
  readonly hashes?: KeptHashes | undefined
  /** Of the hashes of this audit. */
  readonly salt: string
}

export async function judge(call: AuditedCall, context: JudgeContext): Promise<JudgedCall> {
  const { event, text } = call
  const { counters } = context
  const output = await checkOutput(event, text, counters)
  return {
    // What the provider knows the call by, as far as it said.
    id: event.responseId ?? event.requestId ?? event.eventId,
    at: Date.parse(event.timestamp),
    provider: event.provider,
    model: event.model,
    spend: spendOf(event, context.book),
    inputTokens: event.inputTokens ?? 0,
    cachedTokens: event.cachedTokens ?? 0,
    output,
    otherwise: await otherCounts(output, event, text, context),
    input: await checkInput(event, text, counters),
    prefixes: prefixesIn(event, text, context.salt),
    video: await videoOf(call),
    isOtherText: isOtherText(event, text, context.hashes),
    askedFor: isAnotherModel(event) ? event.modelRequested : undefined,
  }
}

/** A model of each encoding that is published, to count by. */
const OF_ENCODINGS = [
  ['o200k_base', 'gpt-4o'],
  ['cl100k_base', 'gpt-4'],
] as const

async function otherCounts(
  output: Checked | undefined,
  event: LLMEvent,
  text: AuditedText | undefined,
  { counters, tolerances }: JudgeContext,
): Promise<JudgedCall['otherwise']> {
  if (output?.label !== 'EXACT' || !text || !isBeside(output, tolerances.outputTokens)) return []
  const own = output.fingerprint
  const others = OF_ENCODINGS.map(([encoding, model]) => [encoding, counters('openai', model)] as const).filter(
    ([, counter]) => counter.fingerprint !== own,
  )
  const texts = textsOf(event, text)
  return Promise.all(
    others.map(async ([encoding, counter]) => [encoding, (await counter.count(texts)).tokens] as const),
  )
}

/** What was billed is not what was counted. */
export function isBeside(
  { billed, low, high }: { readonly billed: number; readonly low: number; readonly high: number },
  tolerance: number,
): boolean {
  return billed > high + tolerance || billed < low - tolerance
}

function prefixesIn(event: LLMEvent, text: AuditedText | undefined, salt: string): readonly Prefix[] {
  const texts = text?.prompt() ?? []
  if (texts.length > 0) return prefixesOf(texts, salt)
  return (event.inputHashes ?? []).flatMap((written) => readPrefix(written) ?? [])
}

function isOtherText(event: LLMEvent, text: AuditedText | undefined, hashes: KeptHashes | undefined): boolean {
  const kept = event.responseId === undefined ? undefined : hashes?.outputs.get(event.responseId)
  const texts = kept === undefined ? [] : textsOf(event, text)
  return texts.length > 0 && hashOf(texts.join('\n'), hashes!.salt) !== kept
}

async function videoOf({ event, video }: AuditedCall): Promise<JudgedCall['video']> {
  const billed = event.usage?.['output.video'] ?? 0
  if (billed === 0) return undefined
  if (video === undefined) return { why: 'The video that was delivered is not at hand.' }
  try {
    return { billed, tokens: videoTokens(await readMp4(video)) }
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    return { why: 'The file that was delivered cannot be read as an MP4 whose frames can be counted.' }
  }
}

export function totalOf(spend: Spend | undefined): PicoUsd {
  let sum = 0n
  for (const part of Object.values(spend ?? {})) sum += part
  return sum
}
