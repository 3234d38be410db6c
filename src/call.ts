// One metered exchange, from the request in the waist to the event on its way out, in the order in which it happens.

import { type AdmissionContext, type Applicant, admit } from './call/admission.ts'
import { formOf, parsed, parsedList, requestFields } from './call/body.ts'
import { type Recording, recordInTurn } from './call/in-turn.ts'
import type { Jobs } from './call/jobs.ts'
import type { Evidence } from './call/missing-usage.ts'
import { attemptOf, isMissing, outcomeOf, requestIdOf, statusOf } from './call/outcome.ts'
import type { FinishedCall } from './call/record.ts'
import { estimateOf, reportStrange, type SettlingContext, settle, settleLater } from './call/settle.ts'
import type { Attempt } from './event.ts'
import type { Hold } from './limits/limiter.ts'
import {
  type AnswerForm,
  type AttemptResult,
  type Exchange,
  type ExchangeEnd,
  type ExchangeRequest,
  HIDDEN,
} from './patch/exchange.ts'
import { readText } from './patch/lines.ts'
import { expectNoMore, expectRequest } from './patch/traffic.ts'
import { isObject } from './providers/counts.ts'
import type { Found } from './providers/index.ts'
import {
  type Asked,
  HIDE,
  type JobResult,
  type Json,
  type Reading,
  type RequestFacts,
  type StreamReader,
} from './providers/provider.ts'
import { topLevelFields } from './providers/top-level.ts'
import type { Payer } from './tenant.ts'

/** What a call needs of the rest of the meter. */
export interface CallContext extends AdmissionContext, SettlingContext, Recording {
  // Said again: what several parts need, with all that each needs of it.
  readonly prices: Recording['prices']
  readonly jobs: Jobs
  /** Whether the text around the gap of a fill-in-the-middle call may be kept. */
  readonly captureFim: boolean
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
  form: AnswerForm = 'json'
  readonly #context: CallContext
  readonly #payer: Payer
  readonly #request: ExchangeRequest
  readonly #found: Found
  #facts: RequestFacts
  #body: unknown
  readonly at: number
  readonly #startedAt = performance.now()
  #firstChunkAt: number | undefined
  #reader: StreamReader | undefined
  #hold: Hold | undefined
  #attempts: Attempt[] = []
  readonly #results: JobResult[] = []
  #isTrying = false
  #answer: AttemptResult | undefined
  #isMalformed = false
  #hasContent = false

  constructor(context: CallContext, payer: Payer, request: ExchangeRequest, found: Found) {
    this.#context = context
    this.#payer = payer
    this.#request = request
    this.#found = found
    this.at = context.now()
    this.#body = request.body
    this.#facts = this.#factsOf(request.body)
    if (request.stream) this.#reader = this.#readerOf(false)
  }

  get provider(): string {
    return this.#found.provider
  }

  get endpoint(): string {
    return this.#found.route.endpoint
  }

  get tenantId(): string | undefined {
    return this.#payer.tenantId
  }

  get facts(): RequestFacts {
    return this.#facts
  }

  // 3 and 4: hold what the call may cost, or refuse it before anything is sent.
  admit(): void | Promise<void> {
    return this.#found.route.isFollowUp ? undefined : admit(this, this.#context)
  }

  hold(money: Hold): void {
    this.#hold = money
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

  // 5: ask for what the provider would not send of itself; the caller's own objects stay as they are.
  encoded(text: string): string {
    const { problems, refusers } = this.#context
    const { route } = this.#found
    const asked = problems.guard('internal', 'preparing a request', () => {
      if (this.#body === undefined) {
        this.#body = text
        this.#facts = this.#factsOf(text)
      }
      const { stream, host } = this.#request
      return stream && !refusers.has(host) ? route.prepare?.(text, host) : undefined
    })
    if (asked === undefined) return text
    this.isHiding = true
    this.#reader = this.#readerOf(true)
    return asked
  }

  // 6: the SDK sends; each attempt is noted.
  attempt(): void {
    if (this.#isTrying) this.#attempts.push({ billable: 'unknown' })
    this.#isTrying = true
    if (this.#request.method !== 'socket' && !this.#found.route.isFollowUp) expectRequest(this.#request.host, this)
  }

  attemptFailed({ status, requestId }: AttemptResult): void {
    if (!this.#isTrying) return
    this.#isTrying = false
    expectNoMore(this.#request.host, this)
    // A request that was understood and refused is not billed; what a failing server did before it failed nobody knows.
    const isRefused = status !== undefined && status < 500
    this.#attempts.push(attemptOf({ status, requestId }, isRefused ? 'no' : 'unknown'))
  }

  answered(result: AttemptResult): void {
    // A second answer: the body of the first stalled, and the SDK asked again.
    if (this.#answer) this.#attempts.push(attemptOf(this.#answer, 'unknown'))
    this.#isTrying = false
    expectNoMore(this.#request.host, this)
    this.#answer = result
    this.form = formOf(this.#found.route, this.#request.stream, result.contentType)
    if (this.form === 'events') this.#reader ??= this.#readerOf(this.isHiding)
  }

  retryWithout(status: unknown, message: unknown): boolean {
    if (!this.isHiding || (status !== 400 && status !== 422)) return false
    if (typeof message !== 'string' || !/stream_options|include_usage/.test(message)) return false
    this.#context.refusers.add(this.#request.host)
    this.isHiding = false
    this.#reader = this.#readerOf(false)
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
      if (this.#reader.news) this.#tellNews(this.#reader.news())
      return shown === HIDE ? HIDDEN : shown
    } catch (cause) {
      reportStrange(this.#context, this.provider, 'An event of a stream could not be read.', cause)
      return data
    }
  }

  /** Of a stream that goes on: what it tells of is billed, and counts against a limit, as it happens. */
  #tellNews(results: readonly JobResult[]): void {
    if (results.length === 0) return
    const told = this.#describe('stopped', { results }, undefined)
    this.#attempts = []
    this.#finishJob(told)
  }

  #line(line: unknown): unknown {
    const read = () => (isObject(line) ? this.#found.route.readLine?.(line, this.#asked) : undefined)
    const result = this.#context.problems.guard('usage', 'reading a line of results', read)
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
    this.#finish('complete', this.#read(answer), undefined, () => this.#found.route.generated(answer ?? {}))
  }

  answerText(text: string): void {
    if (this.hasEnded) return
    const { fields, textFields, generated } = this.#found.route
    if (this.form === 'lines') readText(this, text)
    if (this.form === 'lines' || this.form === 'bytes') {
      this.end('complete')
      return
    }
    const answer = topLevelFields(text, fields, textFields) ?? parsed(text)
    if (!answer && this.#takeList(text)) return
    if (!answer) this.malformed()
    this.#finish('complete', this.#read(answer), undefined, () => generated(parsed(text) ?? {}))
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
    if ((error as Error | null | undefined)?.name === 'SyntaxError' && this.#answer) this.malformed()
    const reader = this.#reader
    const { problems } = this.#context
    if (reader) {
      const reading = problems.guard('usage', 'adding up a stream', () => reader.reading()) ?? {}
      this.#finish(how, reading, error, () => reader.generated())
    } else if (this.form === 'bytes') {
      // Nothing of the answer is needed: whoever reads it, and however far, it was made and is billed.
      const reading = problems.guard('usage', 'reading a request', () => this.#found.route.readUnseen?.(this.#asked))
      this.#hasContent = true
      this.#finish('complete', reading ?? {}, undefined, () => [])
    } else this.#finish(how, {}, error, () => [])
  }

  #readerOf(isHiding: boolean): StreamReader | undefined {
    const { route } = this.#found
    return this.#context.problems.guard('usage', 'reading a stream', () => route.readStream?.(isHiding, this.#asked))
  }

  #read(answer: Json | undefined): Reading {
    if (!answer) return {}
    this.#hasContent = true
    const read = () => this.#found.route.read(answer, this.#asked)
    return this.#context.problems.guard('usage', 'reading an answer', read) ?? {}
  }

  // 8: what was reported stands; what is missing is estimated and says so.
  #finish(how: ExchangeEnd, reading: Reading, error: unknown, generated: () => Iterable<string>): void {
    this.hasEnded = true
    const context = this.#context
    context.ended(this)
    expectNoMore(this.#request.host, this)
    const finished = this.#describe(how, reading, error)
    if (reading.job || reading.results || this.#found.route.isFollowUp) {
      context.problems.guard('internal', 'recording a job', () => this.#finishJob(finished))
      return
    }
    const { book } = context.prices
    const isIncomplete = isMissing(finished) && !this.#found.route.isTextless
    if (!isIncomplete && book) {
      context.problems.guard('internal', 'recording a call', () => settle(finished, book, this.#hold, context))
      return
    }
    // What is not streamed is made in whole before its first byte is sent.
    const isUnseen = how === 'unread' || (how !== 'complete' && !this.#facts.stream)
    const evidence = isIncomplete ? () => this.#evidence(generated, isUnseen) : undefined
    settleLater(finished, evidence, this.#hold, context)
  }

  /** The answer is a stream that is there to be read, and nobody has begun to. */
  get isWaiting(): boolean {
    return this.form === 'events' && this.#answer !== undefined && !this.isBeingRead
  }

  /** The process exits with the call under way: what is known of it is recorded now or never. */
  endAtExit(): void {
    const isSent = this.#isTrying || this.#answer !== undefined || this.#attempts.length > 0
    // An answer that was never looked at is made in whole all the same; one that was being read breaks off here.
    if (!this.hasEnded && isSent) this.end(this.#answer && !this.#hasContent ? 'unread' : 'aborted')
  }

  /** Work that goes on after its call, and the news of it: recorded once, in the name of whoever started it. */
  #finishJob(asked: FinishedCall): void {
    const context = this.#context
    const { jobs, problems } = context
    const { job } = asked.reading
    const isParked = job !== undefined && job.state !== 'over' && !this.#found.route.isFollowUp
    const estimate = () => estimateOf(asked, () => this.#evidence(() => [], true), this.#hold, context)
    if (isParked) jobs.park(asked, this.#hold, job.isText ? estimate() : undefined)
    const own = job?.state === 'over' ? this.#hold : undefined
    recordInTurn(context, jobs.hear(asked, this.#results, own), ({ call, hold }, book) =>
      problems.guard('internal', 'recording a call', () => settle(call, book, hold, context)),
    )
  }

  #describe(how: ExchangeEnd, reading: Reading, error: unknown): FinishedCall {
    const answer = this.#answer
    const status = answer?.status ?? statusOf(error)
    const isAnswered = answer !== undefined
    const { isTextless } = this.#found.route
    const [isMalformed, hasContent] = [this.#isMalformed, this.#hasContent]
    const seen = { how, reading, isAnswered, isMalformed, hasContent, isTextless }
    const { usageSource, ...outcome } = outcomeOf(seen, this.#found.route, this.#facts.stream, status, error)
    if (this.#isTrying) this.attemptFailed({ status, requestId: requestIdOf(error) })
    if (answer) this.#attempts.push(attemptOf(answer, usageSource === 'absent' ? 'unknown' : 'yes'))
    return {
      payer: this.#payer,
      provider: this.provider,
      host: this.#request.host,
      endpoint: this.endpoint,
      facts: this.#facts,
      reading,
      usage: reading.usage,
      usageSource,
      usageBounds: undefined,
      ...outcome,
      attempts: this.#attempts,
      requestId: answer?.requestId ?? this.#attempts.at(-1)?.requestId,
      status,
      at: this.at,
      durationMs: Math.round(performance.now() - this.#startedAt),
      timeToFirstTokenMs:
        this.#firstChunkAt === undefined ? undefined : Math.round(this.#firstChunkAt - this.#startedAt),
      fim: this.#context.captureFim ? this.#found.route.fim?.(this.#asked.body()) : undefined,
    }
  }

  #evidence(generated: () => Iterable<string>, isUnseen: boolean): Evidence {
    const usualOutput = this.#context.experience.outputOf(this.endpoint, this.#facts.model)
    return { prompt: this.prompt(), generated: generated(), isUnseen, usualOutput }
  }

  #factsOf(body: unknown): RequestFacts {
    const { route } = this.#found
    return route.request(requestFields(body, route.requestFields), this.#request.path, this.#request.stream)
  }

  get #asked(): Asked {
    return { facts: this.#facts, path: this.#request.path, body: () => requestFields(this.#body, undefined) }
  }

  prompt(): Iterable<string> {
    const json = typeof this.#body === 'string' ? parsed(this.#body) : this.#body
    return isObject(json) ? this.#found.route.prompt(json) : []
  }
}
