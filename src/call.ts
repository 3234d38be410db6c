// One metered exchange, from the request in the waist to the event on its way out, in the order in which it happens.

import { formOf, parsed, parsedList, requestFields } from './call/body.ts'
import { type Experience, estimateCost } from './call/estimate.ts'
import { type Recording, recordInTurn } from './call/in-turn.ts'
import type { Estimate, Jobs } from './call/jobs.ts'
import { type Evidence, fillUsage, fillUsageAtOnce } from './call/missing-usage.ts'
import {
  attemptOf,
  doubtsOf,
  errorCode,
  errorName,
  flagsOf,
  isMissing,
  isRefusal,
  requestIdOf,
  STREAM_ENDS,
  sourceOf,
  statusOf,
} from './call/outcome.ts'
import { costOf, type FinishedCall, recordOf } from './call/record.ts'
import { MissingTenantError } from './errors.ts'
import type { Attempt, LLMEvent } from './event.ts'
import type { Account } from './limits/limit-store.ts'
import type { Hold, Limiter } from './limits/limiter.ts'
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
import type { PriceBook } from './pricing/price.ts'
import type { Problem, ProblemReporter } from './problems.ts'
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
export interface CallContext extends Recording {
  readonly limiter: Limiter
  readonly jobs: Jobs
  readonly problems: ProblemReporter
  readonly experience: Experience
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  /** Whether the text around the gap of a fill-in-the-middle call may be kept. */
  readonly captureFim: boolean
  readonly appName: string | undefined
  readonly environment: string | undefined
  /** Hosts that refused what we add to a request. */
  readonly refusers: Set<string>
  readonly now: () => number
  /** The call was refused; nothing was sent. */
  refused(): void
  /** The call used something that has no price. */
  unpriced(provider: string, model: string): void
  /** The answer waits to be read; `read` reads it for us. */
  unread(call: Call, read: () => Promise<void>): void
  ended(call: Call): void
  /** Takes the event of a finished call; what follows is no longer on the caller's path. */
  record(event: LLMEvent): void
}

/** One call. The waist tells it what happens; the route reads it; it ends once, in one event. */
export class Call implements Exchange {
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
  readonly #at: number
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
    this.#at = context.now()
    this.#body = request.body
    this.#facts = this.#factsOf(request.body)
    if (request.stream) this.#reader = found.route.readStream?.(false, this.#asked)
  }

  get provider(): string {
    return this.#found.provider
  }

  // 3 and 4: hold what the call may cost, or refuse it before anything is sent.
  admit(): void | Promise<void> {
    if (this.#found.route.isFollowUp) return undefined
    const { tenantId } = this.#payer
    if (tenantId === undefined) return this.#admitNobody()
    try {
      const accounts = this.#context.limiter.accounts(tenantId, this.#at)
      if (accounts instanceof Promise) return this.#admitLater(accounts)
      if (accounts.length === 0) return undefined
      const { book } = this.#context.prices
      if (!book) return this.#admitLater(accounts)
      const held = this.#reserve(accounts, book)
      return held instanceof Promise ? held.catch((error: unknown) => this.#refuse(error)) : undefined
    } catch (error) {
      return this.#refuse(error)
    }
  }

  async #admitLater(accounts: readonly Account[] | Promise<readonly Account[]>): Promise<void> {
    try {
      const known = await accounts
      if (known.length > 0) await this.#reserve(known, await this.#context.prices.load())
    } catch (error) {
      this.#refuse(error)
    }
  }

  #admitNobody(): void {
    const { onMissingTenant } = this.#context
    if (onMissingTenant === 'throw') this.#refuse(new MissingTenantError())
    if (onMissingTenant === 'warn')
      this.#tell(
        {
          kind: 'tenant',
          message:
            'A call was made for no tenant, so nobody is billed for it: wrap it in `meter.forTenant(id, fn)`, or set `onMissingTenant`.',
        },
        'tenant:missing',
      )
  }

  #reserve(accounts: readonly Account[], book: PriceBook): void | Promise<void> {
    const { provider, route } = this.#found
    const estimate = estimateCost(book, this.#context.experience, {
      provider,
      facts: this.#facts,
      endpoint: route.endpoint,
      at: this.#at,
      prompt: () => this.#prompt(),
    })
    // A model without a price can hold nothing; its call is recorded, counted and reported as unpriced when it ends.
    if (!estimate) return undefined
    const hold = this.#context.limiter.reserve(accounts, estimate, this.#at)
    if (!(hold instanceof Promise)) {
      this.#hold = hold
      return undefined
    }
    return hold.then((taken) => {
      // The caller may have given up while the store was asked.
      if (this.hasEnded) this.#context.limiter.settle(taken, 0n, this.#at)
      else this.#hold = taken
    })
  }

  /** Only refusals leave this file; a fault of ours lets the call pass. */
  #refuse(error: unknown): void {
    if (error instanceof MissingTenantError || isRefusal(error)) {
      this.#context.refused()
      this.#neverSent()
      throw error
    }
    this.#tell(
      { kind: 'limit', message: 'A limit could not be checked; the call went on.', cause: error },
      'limit:check',
    )
  }

  /** Under `raiseOnError` a report throws, out of `admit`: then the call is not sent, and is no call. */
  #tell(problem: Problem, key: string): void {
    try {
      this.#context.problems.report(problem, key)
    } catch (error) {
      this.#neverSent()
      throw error
    }
  }

  withdraw(): void {
    if (this.hasEnded) return
    this.#neverSent()
    if (this.#hold) this.#context.limiter.settle(this.#hold, 0n, this.#at)
  }

  #neverSent(): void {
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
    this.#reader = route.readStream?.(true, this.#asked)
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
    this.#attempts.push({
      ...(status !== undefined && { status }),
      ...(requestId !== undefined && { requestId }),
      // A request that was understood and refused is not billed; what a failing server did before it failed nobody knows.
      billable: status !== undefined && status < 500 ? 'no' : 'unknown',
    })
  }

  answered(result: AttemptResult): void {
    // A second answer: the body of the first stalled, and the SDK asked again.
    if (this.#answer) this.#attempts.push(attemptOf(this.#answer, 'unknown'))
    this.#isTrying = false
    expectNoMore(this.#request.host, this)
    this.#answer = result
    this.form = formOf(this.#found.route, this.#request.stream, result.contentType)
    if (this.form === 'events') this.#reader ??= this.#found.route.readStream?.(this.isHiding, this.#asked)
  }

  retryWithout(status: unknown, message: unknown): boolean {
    if (!this.isHiding || (status !== 400 && status !== 422)) return false
    if (typeof message !== 'string' || !/stream_options|include_usage/.test(message)) return false
    this.#context.refusers.add(this.#request.host)
    this.isHiding = false
    this.#reader = this.#found.route.readStream?.(false, this.#asked)
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
      this.#strange('An event of a stream could not be read.', cause)
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
    const { route } = this.#found
    const result = isObject(line)
      ? this.#context.problems.guard('usage', 'reading a line of results', () => route.readLine?.(line, this.#asked))
      : undefined
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

  /** A stream that came as one list of its chunks: Google's, for who does not ask for `alt=sse`. */
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
    this.#strange(`${this.#found.provider} gave an answer that is not what its content type says.`, undefined)
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

  #read(answer: Json | undefined): Reading {
    if (!answer) return {}
    this.#hasContent = true
    return (
      this.#context.problems.guard('usage', 'reading an answer', () => this.#found.route.read(answer, this.#asked)) ??
      {}
    )
  }

  // 8: what was reported stands; what is missing is estimated and says so.
  #finish(how: ExchangeEnd, reading: Reading, error: unknown, generated: () => Iterable<string>): void {
    this.hasEnded = true
    const context = this.#context
    context.ended(this)
    expectNoMore(this.#request.host, this)
    const finished = this.#describe(how, reading, error)
    if (reading.job || reading.results || this.#found.route.isFollowUp) {
      this.#finishJob(finished)
      return
    }
    const { book } = context.prices
    if (!this.#isMissing(finished) && book) {
      context.problems.guard('internal', 'recording a call', () => this.#price(finished, book, this.#hold))
      return
    }
    // What is not streamed is made in whole before its first byte is sent.
    const isUnseen = how === 'unread' || (how !== 'complete' && !this.#facts.stream)
    let isPriced = false
    const price = (call: FinishedCall, book: PriceBook): void => {
      if (isPriced) return
      isPriced = true
      this.#price(call, book, this.#hold)
    }
    const evidence = () => this.#evidence(finished, generated, isUnseen)
    const atOnce = () =>
      price(this.#isMissing(finished) ? fillUsageAtOnce(finished, evidence()) : finished, context.prices.atOnce)
    context.keep(this.#estimateAndPrice(finished, generated, isUnseen, price), atOnce)
  }

  /** The answer is a stream that is there to be read, and nobody has begun to. */
  get isWaiting(): boolean {
    return this.form === 'events' && this.#answer !== undefined && !this.isBeingRead
  }

  /** The process exits with the call under way: what is known of it is recorded now or never. */
  endAtExit(): void {
    const { hasEnded } = this
    const isSent = this.#isTrying || this.#answer !== undefined || this.#attempts.length > 0
    // An answer that was never looked at is made in whole all the same; one that was being read breaks off here.
    if (!hasEnded && isSent) this.end(this.#answer && !this.#hasContent ? 'unread' : 'aborted')
  }

  /** Work that goes on after its call, and the news of it: recorded once, in the name of whoever started it. */
  #finishJob(asked: FinishedCall): void {
    const { jobs, problems } = this.#context
    const { job } = asked.reading
    const isParked = job !== undefined && job.state !== 'over' && !this.#found.route.isFollowUp
    if (isParked) jobs.park(asked, this.#hold, job.isText ? this.#estimateOf(asked) : undefined)
    const own = job?.state === 'over' ? this.#hold : undefined
    recordInTurn(this.#context, jobs.hear(asked, this.#results, own), ({ call, hold }, book) =>
      problems.guard('internal', 'recording a call', () => this.#price(call, book, hold)),
    )
  }

  /** What the job is taken to have come to, should nobody ask. */
  #estimateOf(asked: FinishedCall): Estimate {
    const { prices } = this.#context
    const called = (eventId: string): FinishedCall => ({ ...asked, usageSource: 'estimated', eventId })
    return {
      later: (eventId) => this.#estimateAndPrice(called(eventId), () => [], true),
      atOnce: (eventId) =>
        this.#price(
          fillUsageAtOnce(
            called(eventId),
            this.#evidence(asked, () => [], true),
          ),
          prices.atOnce,
          this.#hold,
        ),
    }
  }

  #describe(how: ExchangeEnd, reading: Reading, error: unknown): FinishedCall {
    const answer = this.#answer
    const status = answer?.status ?? statusOf(error)
    const isAnswered = answer !== undefined
    const { isTextless, isUsageOptional = false } = this.#found.route
    const [isMalformed, hasContent] = [this.#isMalformed, this.#hasContent]
    const seen = { how, reading, isAnswered, isMalformed, hasContent, isTextless }
    const usageSource = sourceOf(seen)
    const flags = flagsOf(seen, isUsageOptional)
    if (this.#isTrying) this.attemptFailed({ status, requestId: requestIdOf(error) })
    if (answer) this.#attempts.push(attemptOf(answer, usageSource === 'absent' ? 'unknown' : 'yes'))
    return {
      payer: this.#payer,
      provider: this.#found.provider,
      host: this.#request.host,
      endpoint: this.#found.route.endpoint,
      facts: this.#facts,
      reading,
      usage: reading.usage,
      usageSource,
      usageBounds: undefined,
      flags,
      attempts: this.#attempts,
      requestId: answer?.requestId ?? this.#attempts.at(-1)?.requestId,
      status,
      error: reading.error ?? errorName(seen, status, error),
      errorCode: errorCode(error),
      streamEnd: this.#facts.stream && how !== 'complete' && isAnswered ? STREAM_ENDS[how] : undefined,
      at: this.#at,
      durationMs: Math.round(performance.now() - this.#startedAt),
      timeToFirstTokenMs:
        this.#firstChunkAt === undefined ? undefined : Math.round(this.#firstChunkAt - this.#startedAt),
      fim: this.#context.captureFim ? this.#found.route.fim?.(this.#asked.body()) : undefined,
    }
  }

  async #estimateAndPrice(
    finished: FinishedCall,
    generated: () => Iterable<string>,
    isUnseen: boolean,
    price = (call: FinishedCall, book: PriceBook) => this.#price(call, book, this.#hold),
  ): Promise<void> {
    const call = this.#isMissing(finished)
      ? await fillUsage(finished, this.#evidence(finished, generated, isUnseen))
      : finished
    price(call, await this.#context.prices.load())
  }

  #isMissing(call: FinishedCall): boolean {
    return isMissing(call) && !this.#found.route.isTextless
  }

  #evidence({ endpoint, facts }: FinishedCall, generated: () => Iterable<string>, isUnseen: boolean): Evidence {
    const usualOutput = this.#context.experience.outputOf(endpoint, facts.model)
    return { prompt: this.#prompt(), generated: generated(), isUnseen, usualOutput }
  }

  // 9 to 12: the cost at the answer's tier and the request's time, the event, the settlement, and off it goes.
  #price(call: FinishedCall, book: PriceBook, hold: Hold | undefined): void {
    const { limiter, experience, appName, environment, record, unpriced } = this.#context
    const { usage, reading, provider, facts, payer } = call
    const model = reading.model ?? facts.model
    const cost =
      usage && costOf(book, usage, reading, { provider, model, at: call.at, serviceTier: reading.serviceTier })
    const event = recordOf(call, { cost, priceVersion: book.version, appName, environment })
    if (usage && !cost) unpriced(provider, facts.model)
    if (call.usageSource === 'reported') experience.learn(call.endpoint, facts.model, event.outputTokens ?? 0)
    if (call.flags || reading.figures) for (const doubt of doubtsOf(call)) this.#strange(doubt, undefined)
    if (hold) limiter.settle(hold, cost?.pico ?? 0n, call.at)
    // Nothing was held for it: it had no limit yet, or the model asked for has no price and the one that served it has.
    else if (cost && payer.tenantId !== undefined) limiter.spend(payer.tenantId, cost.pico, call.at)
    record(event)
  }

  #strange(message: string, cause: unknown): void {
    this.#context.problems.guard('internal', 'reporting', () =>
      this.#context.problems.report({ kind: 'usage', message, cause }, `usage:${this.#found.provider}:${message}`),
    )
  }

  #factsOf(body: unknown): RequestFacts {
    const { route } = this.#found
    return route.request(requestFields(body, route.requestFields), this.#request.path, this.#request.stream)
  }

  get #asked(): Asked {
    return { facts: this.#facts, path: this.#request.path, body: () => requestFields(this.#body, undefined) }
  }

  #prompt(): Iterable<string> {
    const body = this.#body
    const json = typeof body === 'string' ? parsed(body) : isObject(body) ? body : undefined
    return json ? this.#found.route.prompt(json) : []
  }
}
