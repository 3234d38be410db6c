// How a call came out: names for its end, its error and its attempts, without a word of what was said in it.

import type { Attempt } from './event.ts'
import type { AttemptResult, ExchangeEnd } from './patch/exchange.ts'
import { codeOf } from './providers/counts.ts'

/** How a stream ended that was not read to its end. */
export const STREAM_ENDS: Readonly<Record<ExchangeEnd, string>> = {
  complete: 'complete',
  stopped: 'stopped',
  aborted: 'aborted',
  failed: 'interrupted',
  unread: 'unread',
}

export function attemptOf({ status, requestId }: AttemptResult, billable: Attempt['billable']): Attempt {
  return { ...(status !== undefined && { status }), ...(requestId !== undefined && { requestId }), billable }
}

export function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null | undefined)?.status
  return typeof status === 'number' ? status : undefined
}

export function errorName(
  how: ExchangeEnd,
  isAnswered: boolean,
  status: number | undefined,
  error: unknown,
): string | undefined {
  if (how === 'complete' || how === 'stopped' || how === 'unread') return undefined
  if (how === 'aborted') return 'aborted'
  if (isAnswered) return 'interrupted'
  if (status !== undefined) return `http_${status}`
  return /timed? ?out/i.test(String((error as Error | undefined)?.message)) ? 'timeout' : 'connection'
}

/** The provider's own code of an error (`context_length_exceeded`), where it is a code. */
export function errorCode(error: unknown): string | undefined {
  const { code, type } = (error ?? {}) as { code?: unknown; type?: unknown }
  return codeOf(code) ?? codeOf(type)
}

export function isRefusal(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'LIMIT_EXCEEDED'
}
