// An output counted again: what the provider says that it wrote, beside what came.

import type { LLMEvent } from '../event.ts'
import type { AuditedText, Label } from './labels.ts'
import type { Count, Counter, Counters } from './tokenizers.ts'

/** A figure that was checked, or the reason why it cannot be. */
export type Checked =
  | {
      readonly label: Exclude<Label, 'UNVERIFIABLE'>
      readonly billed: number
      readonly low: number
      readonly high: number
      readonly fingerprint: string
      readonly isOwn: boolean
    }
  | { readonly label: 'UNVERIFIABLE'; readonly why: string }

const MORE_THAN_TEXT = 'It is more than text: calls of tools, thoughts or sound, in a form that no provider documents.'
export const NO_TEXT = 'No text was kept, and no count of it.'
export const NOT_REPORTED = 'The provider did not report it: what stands there is our own estimate.'

export async function checkOutput(
  event: LLMEvent,
  text: AuditedText | undefined,
  counters: Counters,
): Promise<Checked | undefined> {
  // Without its buckets, all that was not thought is taken for text; with them, pictures and videos are apart.
  const billed = event.usage
    ? (event.usage['output.text'] ?? 0)
    : (event.outputTokens ?? 0) - (event.reasoningTokens ?? 0)
  if (!(billed > 0)) return undefined
  if (event.usageSource !== 'reported') return { label: 'UNVERIFIABLE', why: NOT_REPORTED }
  const counter = counters(event.provider, event.model)
  if (text && !text.output().isTextOnly) return { label: 'UNVERIFIABLE', why: MORE_THAN_TEXT }
  const texts = textsOf(event, text)
  if (texts.length > 0) return checked(event, billed, await counter.count(texts), counter)
  const { countedOutputTokens: tokens, outputTokenizer: fingerprint } = event
  if (tokens === undefined || fingerprint === undefined) return { label: 'UNVERIFIABLE', why: NO_TEXT }
  const isOwn = counter.isOwn && fingerprint === counter.fingerprint
  // What script it was in is not known any more: the widest band.
  const band = isOwn ? { low: tokens, high: tokens } : { low: Math.floor((tokens * 40) / 100), high: tokens * 3 }
  return checked(event, billed, { tokens, ...band }, { fingerprint, isOwn })
}

function checked(
  { endpoint, reasoningTokens = 0 }: LLMEvent,
  billed: number,
  { tokens, low, high }: Count,
  { fingerprint, isOwn }: Pick<Counter, 'fingerprint' | 'isOwn'>,
): Checked {
  // A summary of what was thought may be among the texts, and its tokens are counted elsewhere.
  const isMixed = endpoint === 'responses' && reasoningTokens > 0
  const isExact = isOwn && low === tokens && high === tokens && !isMixed
  return { label: isExact ? 'EXACT' : 'BOUNDED', billed, low: isMixed ? 0 : low, high, fingerprint, isOwn }
}

/** The pieces of a stream are one text: a token is often sent in two. */
export function textsOf({ stream }: LLMEvent, text: AuditedText | undefined): readonly string[] {
  const texts = text?.output().texts.filter((one) => one !== '') ?? []
  return stream === true && texts.length > 1 ? [texts.join('')] : texts
}
