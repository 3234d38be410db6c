// The HTTP requests that a call has come to so far, and which of them the provider bills.

import type { Attempt } from '../event.ts'
import type { AttemptResult } from '../patch/exchange.ts'
import type { UsageSource } from '../usage.ts'
import { attemptOf } from './outcome.ts'

/** A class: one is made for each call. */
export class Attempts {
  list: Attempt[] = []
  /** One was sent and has no answer yet. */
  isTrying = false
  /** The answer that counts. */
  answer: AttemptResult | undefined

  get isSent(): boolean {
    return this.isTrying || this.answer !== undefined || this.list.length > 0
  }

  get requestId(): string | undefined {
    return this.answer?.requestId ?? this.list.at(-1)?.requestId
  }

  begin(): void {
    if (this.isTrying) this.list.push({ billable: 'unknown' })
    this.isTrying = true
  }

  fail({ status, requestId }: AttemptResult): void {
    this.isTrying = false
    // A request that was understood and refused is not billed; what a failing server did before it failed nobody knows.
    const isRefused = status !== undefined && status < 500
    this.list.push(attemptOf({ status, requestId }, isRefused ? 'no' : 'unknown'))
  }

  succeed(result: AttemptResult): void {
    // A second answer: the body of the first stalled, and the SDK asked again.
    if (this.answer) this.list.push(attemptOf(this.answer, 'unknown'))
    this.isTrying = false
    this.answer = result
  }

  /** The call is over: what its answer said of its usage tells whether that was billed. */
  close(usageSource: UsageSource): void {
    if (this.answer) this.list.push(attemptOf(this.answer, usageSource === 'absent' ? 'unknown' : 'yes'))
  }
}
