// How a call came out: names for its end, its error and its attempts, without a word of what was said in it.

import { LimitExceededError } from '../errors.ts'
import type { Attempt } from '../event.ts'
import type { AttemptResult, ExchangeEnd } from '../patch/exchange.ts'
import type { Cost } from '../pricing/price.ts'
import { CHARGE_FIELDS } from '../providers/charge.ts'
import { codeOf } from '../providers/counts.ts'
import type { Reading, Route } from '../providers/provider.ts'
import type { UsageSource } from '../usage.ts'
import type { FinishedCall } from './record.ts'

/** How a stream ended that was not read to its end. */
const STREAM_ENDS: Readonly<Record<ExchangeEnd, string>> = {
  complete: 'complete',
  stopped: 'stopped',
  aborted: 'aborted',
  failed: 'interrupted',
  unread: 'unread',
}

export function attemptOf({ status, requestId }: AttemptResult, billable: Attempt['billable']): Attempt {
  if (status !== undefined && requestId !== undefined) return { status, requestId, billable }
  if (status !== undefined) return { status, billable }
  return requestId === undefined ? { billable } : { requestId, billable }
}

export function statusOf(error: unknown): number | undefined {
  const { status, message } = (error ?? {}) as { status?: unknown; message?: unknown }
  if (typeof status === 'number') return status
  // The errors of @google/genai before 1.9 say it in words only.
  const said = typeof message === 'string' ? /^got status: (\d{3})\b/.exec(message) : undefined
  return said ? Number(said[1]) : undefined
}

function errorName(seen: Seen, status: number | undefined, error: unknown): string | undefined {
  const { how, isAnswered, isMalformed, hasContent } = seen
  if (isMalformed && !hasContent) return 'malformed'
  if (how === 'complete' || how === 'stopped' || how === 'unread') return undefined
  if (how === 'aborted') return 'aborted'
  if (isAnswered) return 'interrupted'
  if (status !== undefined) return `http_${status}`
  return /timed? ?out/i.test(String((error as Error | undefined)?.message)) ? 'timeout' : 'connection'
}

/** Of the answer behind an error: as openai says it, as anthropic does, or from the headers that older versions leave. */
export function requestIdOf(error: unknown): string | undefined {
  const { requestID, request_id, headers } = (error ?? {}) as Record<string, unknown>
  const id = requestID ?? request_id ?? header(headers, 'x-request-id') ?? header(headers, 'request-id')
  return typeof id === 'string' ? id : undefined
}

function header(headers: unknown, name: string): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined
  return headers instanceof Headers ? headers.get(name) : (headers as Record<string, unknown>)[name]
}

/** The provider's own code of an error (`context_length_exceeded`), where it is a code. */
function errorCode(error: unknown): string | undefined {
  const { code, type } = (error ?? {}) as { code?: unknown; type?: unknown }
  return codeOf(code) ?? codeOf(type)
}

export function isRefusal(error: unknown): boolean {
  return error instanceof LimitExceededError
}

/** What was seen of an answer by the time it was over. */
export interface Seen {
  readonly how: ExchangeEnd
  readonly reading: Reading
  readonly isAnswered: boolean
  readonly isMalformed: boolean
  /** Something of it could be parsed. */
  readonly hasContent: boolean
  /** As `Route.isTextless`. */
  readonly isTextless?: boolean | undefined
}

export function sourceOf({ how, reading, isAnswered, isMalformed, hasContent, isTextless }: Seen): UsageSource {
  if (!isAnswered) return 'absent'
  if (reading.usage) return !reading.isPartial && (how === 'complete' || reading.finishReason) ? 'reported' : 'partial'
  if (isTextless) return 'absent'
  // No body, or one that is no answer: nothing says that anything was generated.
  return !hasContent && (isMalformed || how === 'complete') ? 'absent' : 'estimated'
}

/** What an event says of how its call came out. */
export function outcomeOf(
  seen: Seen,
  { isUsageOptional = false }: Pick<Route, 'isUsageOptional'>,
  isStream: boolean | undefined,
  status: number | undefined,
  error: unknown,
) {
  const { how, reading, isAnswered } = seen
  return {
    usageSource: sourceOf(seen),
    flags: flagsOf(seen, isUsageOptional),
    error: reading.error ?? errorName(seen, status, error),
    errorCode: errorCode(error),
    streamEnd: isStream && how !== 'complete' && isAnswered ? STREAM_ENDS[how] : undefined,
  } satisfies Partial<FinishedCall>
}

/** Some of the usage is for us to estimate. */
export function isMissing({ usageSource }: FinishedCall): boolean {
  return usageSource === 'estimated' || usageSource === 'partial'
}

/** What was wrong with an answer besides the numbers in it. */
export function flagsOf(seen: Seen, isUsageOptional: boolean): readonly string[] | undefined {
  const { how, reading, isAnswered, isMalformed, hasContent } = seen
  if (isMalformed) return [...(reading.flags ?? []), 'malformed']
  if (!isAnswered || how !== 'complete' || reading.usage) return reading.flags
  if (!hasContent) return ['empty']
  const isMissing = !isUsageOptional && !reading.job && reading.error === undefined
  return isMissing ? ['missing:usage'] : undefined
}

/** A batch whose results go to a storage of the application's own. */
const UNSEEN_RESULTS = 'unseen:results'

/** One sentence for each kind of fault in what a provider said it used. */
export function doubtsOf(
  { provider, endpoint, flags = [], reading, usage, usageSource }: FinishedCall,
  cost: Cost | undefined,
): readonly string[] {
  const doubts: string[] = []
  if (reading.figures?.durationUnavailable)
    doubts.push(
      `${provider} bills ${endpoint} by the length of the sound, which the answer does not tell in this response format: ask for \`verbose_json\`, or for \`json\` where the model reports its usage in it.`,
    )
  if (flags.includes('empty')) doubts.push(`${provider} gave an answer without content: what it used is not known.`)
  if (flags.includes('missing:usage'))
    doubts.push(
      `${provider} gave an answer without usage: what it used is ${usageSource === 'absent' ? 'not known' : 'estimated'}.`,
    )
  if (flags.includes(UNSEEN_RESULTS))
    doubts.push(
      `${provider} wrote the results of a batch to where this process does not see them: what it used is not known.`,
    )
  const wrong = (reading.flags ?? []).filter((flag) => flag !== UNSEEN_RESULTS)
  if (wrong.length > 0) {
    const isCharge = wrong.every((flag) => CHARGES.has(flag.slice(flag.indexOf(':') + 1)))
    const what = `${provider} reported ${isCharge ? 'a charge' : 'usage'} that cannot be right (${wrong.join(', ')})`
    doubts.push(`${what}: ${billedAs({ usage, usageSource }, cost, isCharge)}.`)
  }
  return doubts
}

const CHARGES = new Set<string>([...Object.values(CHARGE_FIELDS), 'costUsd'])

/** What became of the bill, when not all that the provider said can be right. */
function billedAs(
  { usage, usageSource }: Pick<FinishedCall, 'usage' | 'usageSource'>,
  cost: Cost | undefined,
  isCharge: boolean,
): string {
  if (cost?.source === 'reported') return 'what it charges is billed all the same'
  if (usage === undefined || Object.keys(usage).length === 0) return 'nothing is billed for it'
  if (cost === undefined) return 'it has no price either, and is recorded without a cost'
  if (usageSource !== 'reported') return 'what it used is estimated, and billed by that'
  return isCharge ? 'it is billed by the price book' : 'it is billed at the dearest reading'
}
