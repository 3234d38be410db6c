// What a refusal is as an answer: 402, the figures for an upgrade prompt, and when to come back.

import { LimitExceededError } from '../errors.ts'

/** The body of the answer to a request whose call was refused. Sums are exact decimal dollars. */
export interface RefusalBody {
  readonly error: {
    /** `LIMIT_EXCEEDED`, `UNKNOWN_PRICE`, ...: see {@link LimitExceededError}. */
    readonly code: string
    readonly message: string
    readonly tenantId?: string
    readonly limitUsd?: string
    readonly spentUsd?: string
    readonly heldUsd?: string
    readonly window?: string
    readonly scope?: unknown
    /** ISO 8601; left out for a limit that never resets. */
    readonly resetsAt?: string
  }
}

export interface RefusalAnswer {
  readonly status: 402
  readonly headers: Readonly<Record<string, string>>
  readonly body: RefusalBody
}

/**
 * The answer to give where `error` is a refusal, or was made of one; `undefined` for every other error. The middlewares
 * give it by themselves; with an error handler of your own, ask it first.
 *
 * @example
 * const refusal = refusalAnswer(new Error('something else'))
 * if (refusal) console.log(refusal.status, refusal.headers['retry-after'], refusal.body.error.limitUsd)
 */
export function refusalAnswer(error: unknown, now: number = Date.now()): RefusalAnswer | undefined {
  const refusal = LimitExceededError.from(error)
  if (!refusal) return undefined
  const { code, message, tenantId, limitUsd, spentUsd, heldUsd, window, scope, resetsAt } = refusal
  const told = { tenantId, limitUsd, spentUsd, heldUsd, window, scope, resetsAt: resetsAt?.toISOString() }
  const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
  return {
    status: 402,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      // What is refused now may be paid for in a minute.
      'cache-control': 'no-store',
      ...(resetsAt && { 'retry-after': String(Math.max(0, Math.ceil((resetsAt.getTime() - now) / 1000))) }),
    },
    body: { error: { code, message, ...known } },
  }
}

/** The same as a Response. */
export function refusalResponse(error: unknown): Response | undefined {
  const answer = refusalAnswer(error)
  return answer && new Response(JSON.stringify(answer.body), { status: answer.status, headers: { ...answer.headers } })
}

/** What is written to of a response of node:http. */
export interface Writable {
  readonly headersSent: boolean
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(body: string): unknown
}

/** Answers with the refusal; false where `error` is none, or the answer has begun and cannot be another any more. */
export function answerRefusal(error: unknown, response: Writable): boolean {
  const answer = refusalAnswer(error)
  if (!answer || response.headersSent) return false
  response.statusCode = answer.status
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
  response.end(JSON.stringify(answer.body))
  return true
}
