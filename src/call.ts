// One metered exchange, from the request in the waist to the event on its way out, in the order in which it happens.

import { MissingTenantError } from './errors.ts'
import { createExperience, type Experience, estimateCost } from './estimate.ts'
import type { Attempt, LLMEvent } from './event.ts'
import type { Hold, Limiter } from './limits/limiter.ts'
import type { Account } from './limits/limit-store.ts'
import type { PicoUsd } from './money.ts'
import {
  type AttemptResult,
  type Exchange,
  type ExchangeEnd,
  type ExchangeRequest,
  HIDDEN,
  type Observer,
} from './patch/exchange.ts'
import type { PriceBook } from './pricing/price.ts'
import type { ProblemReporter } from './problems.ts'
import { codeOf, isObject } from './providers/counts.ts'
import { estimateTokens } from './providers/estimate.ts'
import type { createRouting, Found } from './providers/index.ts'
import { HIDE, type Json, type Reading, type RequestFacts, type StreamReader } from './providers/provider.ts'
import { topLevelFields } from './providers/top-level.ts'
import { type FinishedCall, recordOf } from './record.ts'
import { currentPayer, type Payer, resumeAs } from './tenant.ts'
import { type Bucket, tokenTotals, type Usage, type UsageBounds, type UsageSource } from './usage.ts'

/** What a call needs of the rest of the meter. */
export interface CallSetup {
  readonly find: ReturnType<typeof createRouting>
  readonly prices: { readonly book: PriceBook | undefined; load(): Promise<PriceBook> }
  readonly limiter: Limiter
  readonly problems: ProblemReporter
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  readonly appName: string | undefined
  readonly environment: string | undefined
  /** A call has begun. */
  started(): void
  /** The call was refused; nothing was sent. */
  refused(): void
  /** A call used something that has no price. */
  unpriced(provider: string, model: string): void
  /** Takes the event of a finished call; what follows is no longer on the caller's path. */
  record(event: LLMEvent, cost: PicoUsd | undefined): void
  readonly now: () => number
}

/** The calls of one meter. */
export interface Calls {
  readonly observer: Observer
  /** Calls that have begun and not ended. */
  readonly openCount: number
  /** Work that `settled` waits for. */
  pending(work: Promise<unknown>): void
  /** Resolves when every call that has ended so far has its event. */
  settled(): Promise<void>
  /** Ends what is still open: answers that nobody read are read, streams that nobody finishes are estimated. */
  endAll(): Promise<void>
}

/** An answer that is still unread after this time is read on our own account. */
const UNREAD_AFTER_MS = 1000

export function createCalls(setup: CallSetup): Calls {
  const shared: Shared = {
    ...setup,
    prices: setup.prices,
    experience: createExperience(),
    refusers: new Set(),
    open: new Set(),
    pending: new Set(),
    unread: new Map(),
    sweep: undefined,
  }
  return {
    observer: {
      capture: currentPayer,
      begin: (payer, request) =>
        setup.problems.guard('internal', 'looking at a request', () => beginCall(shared, payer as Payer, request)),
      resume: (payer, fn) => resumeAs(payer as Payer, fn),
      problem: (message, cause) => setup.problems.report({ kind: 'patch', message, cause }, `patch:${message}`),
    },
    get openCount() {
      return shared.open.size
    },
    pending: (work) => keep(shared, work),
    settled,
    async endAll() {
      clearTimeout(shared.sweep)
      shared.sweep = undefined
      await Promise.allSettled([...shared.unread.values()].map((read) => read()))
      for (const call of shared.open) call.end('unread')
      await settled()
    },
  }

  async function settled(): Promise<void> {
    while (shared.pending.size > 0) await Promise.allSettled(shared.pending)
  }
}

function keep({ pending, problems }: Shared, work: Promise<unknown>): void {
  const kept = work
    .catch((cause: unknown) => problems.report({ kind: 'internal', message: 'A call could not be recorded in full.', cause }, 'internal:pending'))
    // `raiseOnError` made the report throw, and there is no caller left to throw it at.
    .catch(() => undefined)
    .finally(() => pending.delete(kept))
  pending.add(kept)
}

interface Shared extends CallSetup {
  readonly experience: Experience
  /** Hosts that refused what we add to a request. */
  readonly refusers: Set<string>
  readonly open: Set<Call>
  readonly pending: Set<Promise<unknown>>
  readonly unread: Map<Call, () => Promise<void>>
  sweep: ReturnType<typeof setTimeout> | undefined
}

// 1 and 2: the tenant was captured in the caller's own turn; the route decides whether the call is billable at all.
function beginCall(shared: Shared, payer: Payer, request: ExchangeRequest): Exchange | undefined {
  const found = shared.find(request.sdk, request.method, request.host, request.path)
  if (!found) return undefined
  const call = new Call(shared, payer, request, found)
  shared.open.add(call)
  shared.started()
  return call
}

class Call implements Exchange {
  readonly body: unknown
  hasEnded = false
  readonly #shared: Shared
  readonly #payer: Payer
  readonly #request: ExchangeRequest
  readonly #found: Found
  readonly #facts: RequestFacts
  readonly #at: number
  readonly #startedAt = performance.now()
  #firstChunkAt: number | undefined
  #reader: StreamReader | undefined
  #hold: Hold | undefined
  #attempts: Attempt[] = []
  #isTrying = false
  #answer: AttemptResult | undefined
  #isMalformed = false

  constructor(shared: Shared, payer: Payer, request: ExchangeRequest, found: Found) {
    this.#shared = shared
    this.#payer = payer
    this.#request = request
    this.#found = found
    this.#at = shared.now()
    const { route } = found
    const fields = requestFields(request.body, route.requestFields)
    this.#facts = route.request(fields, request.path, request.stream)
    // 5: ask for what the provider would not send of itself; the caller's object stays as it is.
    const mayAsk = request.stream && isObject(request.body) && !shared.refusers.has(request.host)
    const prepared = mayAsk ? route.prepare?.(fields, request.host) : undefined
    this.body = prepared ?? request.body
    if (request.stream) this.#reader = route.readStream?.(prepared !== undefined)
  }

  // 3 and 4: hold what the call may cost, or refuse it before anything is sent.
  admit(): void | Promise<void> {
    const { tenantId } = this.#payer
    if (tenantId === undefined) return this.#admitNobody()
    try {
      const accounts = this.#shared.limiter.accounts(tenantId, this.#at)
      if (accounts instanceof Promise) return this.#admitLater(accounts)
      if (accounts.length === 0) return undefined
      const { book } = this.#shared.prices
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
      if (known.length > 0) await this.#reserve(known, await this.#shared.prices.load())
    } catch (error) {
      this.#refuse(error)
    }
  }

  #admitNobody(): void {
    const { onMissingTenant, problems } = this.#shared
    if (onMissingTenant === 'throw') this.#refuse(new MissingTenantError())
    if (onMissingTenant === 'warn')
      problems.report(
        {
          kind: 'tenant',
          message:
            'A call was made for no tenant, so nobody is billed for it: wrap it in `meter.forTenant(id, fn)`, or set `onMissingTenant`.',
        },
        'tenant:missing',
      )
  }

  #reserve(accounts: readonly Account[], book: PriceBook): void | Promise<void> {
    const { provider } = this.#found
    const estimate = estimateCost(book, this.#shared.experience, {
      provider,
      facts: this.#facts,
      kind: this.#kind(),
      at: this.#at,
      prompt: () => this.#prompt(),
    })
    // A model without a price can hold nothing; its call is recorded, counted and reported as unpriced when it ends.
    if (!estimate) return undefined
    const hold = this.#shared.limiter.reserve(accounts, estimate, this.#at)
    if (!(hold instanceof Promise)) {
      this.#hold = hold
      return undefined
    }
    return hold.then((taken) => {
      // The caller may have given up while the store was asked.
      if (this.hasEnded) this.#shared.limiter.settle(taken, 0n, this.#at)
      else this.#hold = taken
    })
  }

  /** Only refusals leave this file; a fault of ours lets the call pass. */
  #refuse(error: unknown): void {
    const { problems, open, refused } = this.#shared
    if (error instanceof MissingTenantError || isRefusal(error)) {
      this.hasEnded = true
      open.delete(this)
      refused()
      throw error
    }
    problems.report({ kind: 'limit', message: 'A limit could not be checked; the call went on.', cause: error }, 'limit:check')
  }

  // 6: the SDK sends; each attempt is noted.
  attempt(): void {
    if (this.#isTrying) this.#attempts.push({ billable: 'unknown' })
    this.#isTrying = true
  }

  attemptFailed({ status, requestId }: AttemptResult): void {
    if (!this.#isTrying) return
    this.#isTrying = false
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
    this.#answer = result
  }

  retryWithout(status: unknown, message: unknown): boolean {
    if (this.body === this.#request.body || (status !== 400 && status !== 422)) return false
    if (typeof message !== 'string' || !/stream_options|include_usage/.test(message)) return false
    this.#shared.refusers.add(this.#request.host)
    this.#reader = this.#found.route.readStream?.(false)
    return true
  }

  unread(read: () => Promise<void>): void {
    const shared = this.#shared
    shared.unread.set(this, read)
    shared.sweep ??= setTimeout(() => {
      shared.sweep = undefined
      const waiting = [...shared.unread.values()]
      shared.unread.clear()
      for (const one of waiting) one().catch(() => undefined)
    }, UNREAD_AFTER_MS).unref()
  }

  // 7: the answer, however it is read, reaches exactly one end.
  chunk(data: unknown): unknown {
    this.#firstChunkAt ??= performance.now()
    if (!this.#reader || typeof data !== 'object' || data === null) return data
    try {
      const shown = this.#reader.take(data as Json)
      return shown === HIDE ? HIDDEN : shown
    } catch (cause) {
      this.#strange('An event of a stream could not be read.', cause)
      return data
    }
  }

  answer(json: unknown): void {
    if (this.hasEnded) return
    if (!isObject(json)) this.malformed()
    this.#finish('complete', isObject(json) ? this.#read(json) : {}, undefined, () => [JSON.stringify(json)])
  }

  answerText(text: string): void {
    if (this.hasEnded) return
    const fields = topLevelFields(text, this.#found.route.fields) ?? parsed(text)
    if (!fields) this.malformed()
    this.#finish('complete', fields ? this.#read(fields) : {}, undefined, () => [text])
  }

  malformed(): void {
    this.#isMalformed = true
    this.#strange(`${this.#found.provider} gave an answer that is not what its content type says.`, undefined)
  }

  end(how: ExchangeEnd, error?: unknown): void {
    if (this.hasEnded) return
    const reader = this.#reader
    const reading = reader ? (this.#shared.problems.guard('usage', 'adding up a stream', () => reader.reading()) ?? {}) : {}
    this.#finish(how, reading, error, () => reader?.generated() ?? [])
  }

  #read(answer: Json): Reading {
    return this.#shared.problems.guard('usage', 'reading an answer', () => this.#found.route.read(answer)) ?? {}
  }

  // 8: what was reported stands; what is missing is estimated and says so.
  #finish(how: ExchangeEnd, reading: Reading, error: unknown, generated: () => Iterable<string>): void {
    this.hasEnded = true
    const shared = this.#shared
    shared.open.delete(this)
    shared.unread.delete(this)
    const finished = this.#describe(how, reading, error)
    const { book } = shared.prices
    if (finished.usageSource !== 'estimated' && finished.usageSource !== 'partial' && book) {
      shared.problems.guard('internal', 'recording a call', () => this.#price(finished, book))
      return
    }
    keep(shared, this.#estimateAndPrice(finished, generated))
  }

  #describe(how: ExchangeEnd, reading: Reading, error: unknown): FinishedCall {
    const answer = this.#answer
    const status = answer?.status ?? statusOf(error)
    const isAnswered = answer !== undefined
    const isWhole =
      reading.usage !== undefined && !reading.isPartial && (how === 'complete' || reading.finishReason !== undefined)
    let usageSource: UsageSource = isWhole ? 'reported' : reading.usage ? 'partial' : 'estimated'
    if (!isAnswered || (this.#isMalformed && !reading.usage)) usageSource = 'absent'
    if (this.#isTrying) this.attemptFailed({ status })
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
      flags: this.#isMalformed ? [...(reading.flags ?? []), 'malformed'] : reading.flags,
      attempts: this.#attempts,
      requestId: answer?.requestId ?? this.#attempts.at(-1)?.requestId,
      status,
      error: reading.error ?? errorName(how, isAnswered, status, error),
      errorCode: errorCode(error),
      streamEnd: this.#facts.stream && how !== 'complete' && isAnswered ? STREAM_ENDS[how] : undefined,
      at: this.#at,
      durationMs: Math.round(performance.now() - this.#startedAt),
      timeToFirstTokenMs:
        this.#firstChunkAt === undefined ? undefined : Math.round(this.#firstChunkAt - this.#startedAt),
    }
  }

  async #estimateAndPrice(finished: FinishedCall, generated: () => Iterable<string>): Promise<void> {
    const shared = this.#shared
    let call = finished
    if (finished.usageSource === 'estimated' || finished.usageSource === 'partial') {
      const text = [...generated()]
      const known = tokenTotals(finished.usage ?? {})
      const input = known.inputTokens > 0 ? exactly(known.inputTokens) : await estimateTokens(this.#prompt())
      let output = known.outputTokens > 0 ? exactly(known.outputTokens) : await estimateTokens(text)
      // An answer that was never read has been generated all the same: as long as such answers are.
      const expected = this.#facts.maxOutputTokens ?? shared.experience.outputOf(this.#kind())
      if (output.tokens === 0 && finished.streamEnd === 'unread')
        output = { tokens: Math.min(expected, shared.experience.outputOf(this.#kind())), low: 0, high: expected }
      const bounds: UsageBounds = { inputTokens: [input.low, input.high], outputTokens: [output.low, output.high] }
      const usage: { [B in Bucket]?: number } = { ...finished.usage }
      if (known.inputTokens === 0 && input.tokens > 0) usage['input.text'] = input.tokens
      if (known.outputTokens === 0 && output.tokens > 0) usage['output.text'] = output.tokens
      call = { ...finished, usage: usage as Usage, usageBounds: bounds }
    }
    this.#price(call, await shared.prices.load())
  }

  // 9 to 12: the cost at the answer's tier and the request's time, the event, the settlement, and off it goes.
  #price(call: FinishedCall, book: PriceBook): void {
    const { limiter, experience, appName, environment, record } = this.#shared
    const { usage, reading, provider, facts, payer } = call
    const model = reading.model ?? facts.model
    const cost =
      usage && book.price(usage, { provider, model, at: call.at, serviceTier: reading.serviceTier })
    const event = recordOf(call, { cost, priceVersion: book.version, appName, environment })
    if (usage && !cost) this.#unpriced()
    if (call.usageSource === 'reported') experience.learn(this.#kind(), event.outputTokens ?? 0)
    if (call.flags && call.flags.length > 0) this.#strange(`${provider} reported usage that contradicts itself.`, undefined)
    if (this.#hold) limiter.settle(this.#hold, cost?.pico ?? 0n, call.at)
    if (!this.#hold && cost && payer.tenantId !== undefined) this.#settleUnheld(payer.tenantId, cost.pico, call.at)
    record(event, cost?.pico)
  }

  /** Nothing was held for it: the model asked for had no price, the one that served it has. */
  #settleUnheld(tenantId: string, cost: PicoUsd, at: number): void {
    const { limiter } = this.#shared
    const accounts = limiter.accounts(tenantId, at)
    if (accounts instanceof Promise) keep(this.#shared, accounts.then((known) => limiter.spend(known, cost, at)))
    else if (accounts.length > 0) limiter.spend(accounts, cost, at)
  }

  #unpriced(): void {
    const { provider } = this.#found
    const { model } = this.#facts
    this.#shared.unpriced(provider, model)
    this.#shared.problems.report(
      { kind: 'price', message: `No price is known for model ${JSON.stringify(model.slice(0, 100))} of ${provider}: its calls are recorded without a cost.` },
      `price:${provider}:${model}`,
    )
  }

  #strange(message: string, cause: unknown): void {
    this.#shared.problems.guard('internal', 'reporting', () =>
      this.#shared.problems.report({ kind: 'usage', message, cause }, `usage:${this.#found.provider}:${message}`),
    )
  }

  #prompt(): Iterable<string> {
    const { body } = this.#request
    const json = typeof body === 'string' ? parsed(body) : isObject(body) ? body : undefined
    return json ? this.#found.route.prompt(json) : []
  }

  #kind(): string {
    return `${this.#found.provider} ${this.#facts.model} ${this.#found.route.endpoint}`
  }
}

const STREAM_ENDS: Readonly<Record<ExchangeEnd, string>> = {
  complete: 'complete',
  stopped: 'stopped',
  aborted: 'aborted',
  failed: 'interrupted',
  unread: 'unread',
}

function requestFields(body: unknown, names: readonly string[] | undefined): Json {
  if (typeof body === 'string') return (names ? topLevelFields(body, names) : parsed(body)) ?? {}
  return isObject(body) ? body : {}
}

function parsed(text: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

function exactly(tokens: number) {
  return { tokens, low: tokens, high: tokens }
}

function attemptOf({ status, requestId }: AttemptResult, billable: Attempt['billable']): Attempt {
  return { ...(status !== undefined && { status }), ...(requestId !== undefined && { requestId }), billable }
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null | undefined)?.status
  return typeof status === 'number' ? status : undefined
}

function errorName(how: ExchangeEnd, isAnswered: boolean, status: number | undefined, error: unknown): string | undefined {
  if (how === 'complete' || how === 'stopped' || how === 'unread') return undefined
  if (how === 'aborted') return 'aborted'
  if (isAnswered) return 'interrupted'
  if (status !== undefined) return `http_${status}`
  return /timed? ?out/i.test(String((error as Error | undefined)?.message)) ? 'timeout' : 'connection'
}

/** The provider's own code of an error (`context_length_exceeded`), where it is a code. */
function errorCode(error: unknown): string | undefined {
  const { code, type } = (error ?? {}) as { code?: unknown; type?: unknown }
  return codeOf(code) ?? codeOf(type)
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'LIMIT_EXCEEDED'
}
