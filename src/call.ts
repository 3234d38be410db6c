// One metered exchange, from the request in the waist to the event on its way out, in the order in which it happens.

import { type AdmissionContext, type Applicant, admit } from './call/admission.ts'
import { Attempts } from './call/attempts.ts'
import { belongingOf } from './call/belonging.ts'
import { formOf, parsed, parsedList } from './call/body.ts'
import { type FinishContext, finish, finishJob, isIncomplete } from './call/finish.ts'
import type { Evidence } from './call/missing-usage.ts'
import { outcomeOf, requestIdOf, statusOf } from './call/outcome.ts'
import type { OwnCountOptions } from './call/own-counts.ts'
import { type PaidStream, payAsItComes } from './call/paid-stream.ts'
import { addUp, doing, readAnswer, readerOf, readLine, readRequest } from './call/reading.ts'
import type { FinishedCall } from './call/record.ts'
import { CallRequest } from './call/request.ts'
import { reportStrange } from './call/settle.ts'
import type { LimitExceededError } from './errors.ts'
import type { Hold } from './limits/limiter.ts'
import type { Belonging } from './limits/scope.ts'
import {
  type AnswerForm,
  type AttemptResult,
  type Exchange,
  type ExchangeEnd,
  type ExchangeRequest,
  HIDDEN,
  type Sent,
  type WireName,
} from './patch/exchange.ts'
import { readText } from './patch/lines.ts'
import { expectNoMore, expectRequest } from './patch/traffic.ts'
import { isObject } from './providers/counts.ts'
import type { Found } from './providers/index.ts'
import { HIDE, type JobResult, type Json, type Reading, type StreamReader } from './providers/provider.ts'
import { piecesOfOne, saidIn } from './providers/said.ts'
import { topLevelFields } from './providers/top-level.ts'
import type { Payer } from './tenant.ts'

/** What a call needs of the rest of the meter. */
export interface CallContext extends AdmissionContext, FinishContext {
  // Said again: what both parts need, with all that each needs of it.
  readonly prices: FinishContext['prices']
  /** What of a text may be kept: that around the gap of a fill-in-the-middle call, a count, hashes. */
  readonly kept: { readonly captureFim: boolean } & OwnCountOptions
  /** Hosts that refused what we add to a request. */
  readonly refusers: Set<string>
  readonly now: () => number
  /** The answer waits to be read; `read` reads it for us. */
  unread(call: Call, read: () => Promise<void>): void
  ended(call: Call): void
}

/** One call. The waist tells it what happens; the route reads it; it ends once, in one event. */
export class Call implements Exchange, Applicant {
  hasEnded = false
  isHiding = false
  isBeingRead = false
  /** How often it was found with a stream that nobody has begun to read. */
  timesUnread = 0
  sent: Sent | undefined
  form: AnswerForm = 'json'
  readonly #context: CallContext
  readonly #payer: Payer
  readonly asked: CallRequest
  readonly at: number
  readonly #startedAt = performance.now()
  #firstChunkAt: number | undefined
  #reader: StreamReader | undefined
  #hold: Hold | undefined
  #paid: PaidStream | undefined
  #countedTokens: number | undefined
  readonly #attempts = new Attempts()
  readonly #results: JobResult[] = []
  #isLeft = false
  #isMalformed = false
  #hasContent = false

  constructor(context: CallContext, payer: Payer, request: ExchangeRequest, found: Found) {
    this.#context = context
    this.#payer = payer
    this.at = context.now()
    this.asked = new CallRequest(request, found)
    if (request.stream) this.#reader = readerOf(this.asked, false, context.problems)
  }

  get provider(): string {
    return this.asked.provider
  }

  get host(): string {
    return this.asked.host
  }

  get wire(): WireName {
    return this.asked.sent.wire
  }

  isFor(url: string): boolean {
    return this.asked.isFor(url)
  }

  get tenantId(): string | undefined {
    return this.#payer.tenantId
  }

  get belonging(): Belonging {
    return belongingOf(this.#payer, this.asked.facts.model)
  }

  // 3 and 4: hold what the call may cost, or refuse it before anything is sent.
  admit(): void | Promise<void> {
    return this.asked.route.isFollowUp ? undefined : admit(this, this.#context)
  }

  hold(money: Hold): void {
    this.#hold = money
    const { cap, paidTokens } = money
    if (cap !== undefined) this.asked.facts = { ...this.asked.facts, maxOutputTokens: cap }
    if (paidTokens !== undefined) this.#paid = payAsItComes(money)
  }

  get isCapped(): boolean {
    return this.#hold?.cap !== undefined
  }

  get isPaidAsItComes(): boolean {
    return this.#paid !== undefined
  }

  get refusal(): LimitExceededError | undefined {
    return this.#paid?.refusal
  }

  counted(inputTokens: number): void {
    this.#countedTokens = inputTokens
  }

  withdraw(): void {
    if (this.hasEnded) return
    this.neverSent()
    if (this.#hold) this.#context.limiter.settle(this.#hold, 0n, this.at)
  }

  neverSent(): void {
    this.hasEnded = true
    this.#context.ended(this)
  }

  // 5: ask for what the provider would not send of itself, and for no more than a limit pays; the caller's own objects
  // stay as they are.
  encoded(text: string): string {
    const { problems, refusers } = this.#context
    const prepared = problems.guard('internal', 'preparing a request', () => this.asked.prepared(text, refusers))
    if (prepared !== undefined) this.isPrepared()
    const asked = prepared ?? text
    const cap = this.#hold?.cap
    if (cap === undefined) return asked
    const capped = problems.guard('internal', 'lowering an output cap', () => this.asked.capped(asked, cap))
    return capped ?? asked
  }

  isPrepared(): void {
    this.isHiding = true
    this.#reader = readerOf(this.asked, true, this.#context.problems)
  }

  // 6: the SDK sends; each attempt is noted.
  attempt(): void {
    this.sent = undefined
    // What is sent for it after its answer has been read is another call's.
    if (this.hasEnded) return
    this.#attempts.begin()
    if (this.asked.sent.method !== 'socket' && !this.asked.route.isFollowUp) expectRequest(this.host, this)
  }

  attemptFailed(result: AttemptResult): void {
    if (!this.#attempts.isTrying) return
    expectNoMore(this.host, this)
    this.#attempts.fail(result)
  }

  answered(result: AttemptResult): void {
    this.#attempts.succeed(result)
    expectNoMore(this.host, this)
    this.form = formOf(this.asked.route, this.asked.sent.stream, result.contentType)
    if (this.form === 'events') this.#reader ??= readerOf(this.asked, this.isHiding, this.#context.problems)
  }

  retryWithout(status: unknown, message: unknown): boolean {
    if (!this.isHiding || (status !== 400 && status !== 422)) return false
    if (typeof message !== 'string' || !/stream_options|include_usage/.test(message)) return false
    this.#context.refusers.add(this.host)
    this.isHiding = false
    this.#reader = readerOf(this.asked, false, this.#context.problems)
    return true
  }

  unread(read: () => Promise<void>): void {
    this.#context.unread(this, read)
  }

  // 7: the answer, however it is read, reaches exactly one end.
  chunk(data: unknown): unknown {
    if (this.form === 'lines') return this.#line(data)
    this.#firstChunkAt ??= performance.now()
    if (!this.#reader) return data
    if (!isObject(data)) {
      this.malformed()
      return data
    }
    this.#hasContent = true
    try {
      const shown = this.#reader.take(data)
      if (this.#paid && !this.hasEnded) this.#paid.came(this.#reader)
      if (this.#reader.news) this.#tellNews(this.#reader.news())
      return shown === HIDE ? HIDDEN : shown
    } catch (cause) {
      reportStrange(
        this.#context,
        this.provider,
        `${doing('An event of a stream', this.asked)} could not be read.`,
        cause,
      )
      return data
    }
  }

  /** Of a stream that goes on: what it tells of is billed, and counts against a limit, as it happens. */
  #tellNews(results: readonly JobResult[]): void {
    if (results.length === 0) return
    const told = this.#describe('stopped', { results }, undefined)
    this.#attempts.list = []
    this.#finishJob(told)
  }

  #line(line: unknown): unknown {
    const result = readLine(this.asked, line, this.#context.problems)
    if (result) this.#results.push(result)
    return line
  }

  answer(json: unknown): void {
    if (this.hasEnded) return
    if (this.form === 'lines' && isObject(json)) this.chunk(json)
    if (this.form === 'lines' || this.form === 'bytes') {
      this.end('complete')
      return
    }
    if (Array.isArray(json) && this.#takeList(json)) return
    if (!isObject(json)) this.malformed()
    const answer = isObject(json) ? json : undefined
    const whole = () => answer ?? {}
    this.#finish('complete', this.#read(answer), undefined, () => this.asked.route.generated(whole()), whole)
  }

  answerText(text: string): void {
    if (this.hasEnded) return
    const { fields, textFields, generated } = this.asked.route
    if (this.form === 'lines') readText(this, text)
    if (this.form === 'lines' || this.form === 'bytes') {
      this.end('complete')
      return
    }
    const answer = topLevelFields(text, fields, textFields) ?? parsed(text)
    if (!answer && this.#takeList(text)) return
    if (!answer) this.malformed()
    const whole = () => parsed(text) ?? {}
    this.#finish('complete', this.#read(answer), undefined, () => generated(whole()), whole)
  }

  /** A stream that came as one list of its chunks: Google's, without `alt=sse`. */
  #takeList(answer: unknown): boolean {
    if (!this.#reader) return false
    const list = typeof answer === 'string' ? parsedList(answer) : answer
    if (!Array.isArray(list)) return false
    for (const chunk of list) this.chunk(chunk)
    this.end('complete')
    return true
  }

  malformed(): void {
    this.#isMalformed = true
    reportStrange(
      this.#context,
      this.provider,
      `${this.provider} gave an answer that is not what its content type says.`,
    )
  }

  end(how: ExchangeEnd, error?: unknown): void {
    if (this.hasEnded) return
    // The SDK could not parse what it read.
    if ((error as Error | null | undefined)?.name === 'SyntaxError' && this.#attempts.answer) this.malformed()
    const reader = this.#reader
    const { problems } = this.#context
    if (reader) this.#finish(how, addUp(this.asked, reader, problems), error, () => reader.generated())
    else if (this.form === 'bytes') {
      // Nothing of the answer is needed: whoever reads it, and however far, it was made and is billed.
      this.#hasContent = true
      this.#finish('complete', readRequest(this.asked, problems), undefined, () => [])
    } else this.#finish(how, {}, error, () => [])
  }

  #read(answer: Json | undefined): Reading {
    if (!answer) return {}
    this.#hasContent = true
    return readAnswer(this.asked, answer, this.#context.problems)
  }

  // 8: what was reported stands; what is missing is estimated and says so.
  #finish(
    how: ExchangeEnd,
    reading: Reading,
    error: unknown,
    generated: () => Iterable<string>,
    whole?: () => Json,
  ): void {
    this.hasEnded = true
    const context = this.#context
    context.ended(this)
    expectNoMore(this.host, this)
    const finished = this.#describe(how, reading, error)
    if (reading.job || reading.results || this.asked.route.isFollowUp) {
      context.problems.guard('internal', 'recording a job', () => this.#finishJob(finished))
      return
    }
    // What is not streamed is made in whole before its first byte is sent.
    const isUnseen = how === 'unread' || (how !== 'complete' && !this.asked.facts.stream)
    const evidence = isIncomplete(finished, this.asked.isTextless)
      ? () => this.#evidence(generated, isUnseen)
      : undefined
    const said =
      context.countOwn &&
      (() => ({ prompt: this.asked.prompt(), said: whole ? saidIn([whole()]) : piecesOfOne(generated()) }))
    finish(finished, evidence, this.#hold, context, said)
  }

  /** The answer is a stream that is there to be read, and nobody has begun to. */
  get isWaiting(): boolean {
    return this.form === 'events' && this.#attempts.answer !== undefined && !this.isBeingRead
  }

  /** The meter ends, or with it the process, with the call under way: what is known of it is recorded now or never. */
  leave(isExit = false): void {
    const { isSent, isTrying, answer } = this.#attempts
    this.#isLeft = isTrying
    // An answer that was never looked at is made in whole all the same; one that was being read breaks off here.
    const how = isExit && (!answer || this.#hasContent) ? 'aborted' : 'unread'
    if (!this.hasEnded && (isSent || !isExit)) this.end(how)
  }

  /** Work that goes on after its call, and the news of it. */
  #finishJob(call: FinishedCall): void {
    const { isFollowUp = false } = this.asked.route
    const evidence = () => this.#evidence(() => [], true)
    finishJob({ call, results: this.#results, isFollowUp, hold: this.#hold, evidence }, this.#context)
  }

  #describe(how: ExchangeEnd, reading: Reading, error: unknown): FinishedCall {
    const attempts = this.#attempts
    const { answer } = attempts
    const status = answer?.status ?? statusOf(error)
    const isAnswered = answer !== undefined
    const { isTextless, route, facts } = this.asked
    const seen = { how, reading, isAnswered, isMalformed: this.#isMalformed, hasContent: this.#hasContent, isTextless }
    const outcome = outcomeOf(seen, route, facts.stream, status, error)
    if (attempts.isTrying) this.attemptFailed({ status, requestId: requestIdOf(error) })
    attempts.close(outcome.usageSource)
    return {
      payer: this.#payer,
      provider: this.provider,
      host: this.host,
      endpoint: this.asked.endpoint,
      facts,
      reading,
      usage: reading.usage,
      usageBounds: undefined,
      isLeft: this.#isLeft,
      countedTokens: this.#countedTokens,
      // One by one: what is spread in the middle of a literal takes four times as long.
      usageSource: outcome.usageSource,
      flags: outcome.flags,
      error: outcome.error,
      errorCode: outcome.errorCode,
      clampedTo: this.#hold?.cap,
      streamEnd: outcome.streamEnd && this.refusal ? 'limit' : outcome.streamEnd,
      attempts: attempts.list,
      requestId: attempts.requestId,
      status,
      at: this.at,
      durationMs: Math.round(performance.now() - this.#startedAt),
      timeToFirstTokenMs:
        this.#firstChunkAt === undefined ? undefined : Math.round(this.#firstChunkAt - this.#startedAt),
      fim: this.#context.kept.captureFim ? this.asked.route.fim?.(this.asked.body()) : undefined,
    }
  }

  #evidence(generated: () => Iterable<string>, isUnseen: boolean): Evidence {
    return this.asked.evidence(this.#context.experience, generated, isUnseen)
  }
}
