// What an audit keeps of the text of a call: a count of its output, and salted hashes; never the text. Made after the call is over.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LLMEvent } from '../event.ts'
import { countTokens } from '../providers/count-tokens.ts'
import { encodingOf, PUBLISHERS, TOKENIZER_VERSION } from '../providers/encodings.ts'
import type { Said } from '../providers/said.ts'
import { hashOf, prefixesOf, saltOf, writePrefix } from './content-hash.ts'
import type { FinishedCall } from './record.ts'

/** The fingerprint of an encoding of js-tiktoken. */
export function fingerprintOf(encoding: string): string {
  return `js-tiktoken@${TOKENIZER_VERSION}/${encoding}`
}

/** What an event keeps of it. */
export type OwnCount = Pick<LLMEvent, 'countedOutputTokens' | 'outputTokenizer' | 'inputHashes' | 'outputHash'>

/** What was said in a call, as long as it is in memory. */
export interface SaidText {
  readonly prompt: Iterable<string>
  readonly said: Said
}

/** Called once the call is over, and only for what was reported and seen in full. */
export type CountOwn = (call: FinishedCall, said: () => SaidText) => Promise<OwnCount>

export interface OwnCountOptions {
  readonly audit: 'off' | 'output'
  readonly contentHash: boolean
  readonly dir: string
}

/** `undefined` where nothing is to be kept: then no call does anything for it. */
export function createOwnCounts({ audit, contentHash, dir }: OwnCountOptions): CountOwn | undefined {
  if (audit === 'off' && !contentHash) return undefined
  let salt: string | undefined

  return async (call, said) => {
    // The caller goes on first: parsing an answer once more is work too.
    await nextTurn()
    const { prompt, said: answered } = said()
    const output = answered.texts
    const counted = audit === 'output' && isCountable(call, output) ? await countOf(call, answered) : {}
    if (!contentHash) return counted
    salt ??= saltOf(dir)
    const prefixes = prefixesOf(
      [...prompt].filter((text) => text !== ''),
      salt,
    ).map(writePrefix)
    return {
      ...counted,
      ...(prefixes.length > 0 && { inputHashes: prefixes }),
      ...(output.length > 0 && { outputHash: hashOf(output.join('\n'), salt) }),
    }
  }
}

/** What was reported, and came in whole. */
export function isSeenInFull({ usage, usageSource, streamEnd, error }: FinishedCall): boolean {
  return usage !== undefined && usageSource === 'reported' && streamEnd === undefined && error === undefined
}

/** Thoughts that are shown are among the texts, and their tokens are another figure. */
function isCountable({ provider, endpoint, usage = {} }: FinishedCall, output: readonly string[]): boolean {
  const hasThought = (usage['output.reasoning'] ?? 0) > 0
  if (output.length === 0 || (usage['output.audio'] ?? 0) > 0) return false
  return !hasThought || (endpoint === 'chat.completions' && PUBLISHERS.has(provider))
}

/** A text of more bytes is counted in windows, which is an estimate. */
const WHOLE_BYTES = 1 << 20

async function countOf({ facts, reading }: FinishedCall, { texts: output, isTextOnly }: Said): Promise<OwnCount> {
  const model = reading.model ?? facts.model
  const { tokens, encoding } = await countTokens(output, model, { wholeBytes: WHOLE_BYTES })
  const bytes = output.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  // What stands around calls of tools is not published, and of a stream it is not told which of it they are.
  const mayCall =
    facts.stream &&
    (Number(facts.metadata?.['tools_count'] ?? 0) > 0 || /tool|function/.test(reading.finishReason ?? ''))
  const doubts = [...(bytes > WHOLE_BYTES ? ['windows'] : []), ...(mayCall || !isTextOnly ? ['more'] : [])]
  return {
    countedOutputTokens: tokens,
    outputTokenizer: [
      fingerprintOf(encodingOf(model).isPublished ? encoding : `${encoding}:stands-in`),
      ...doubts,
    ].join('+'),
  }
}
