// The composition: one meter from its options, and the verbs that an application uses.

import { type Calls, createCalls } from './call.ts'
import { createDelivery } from './delivery/delivery.ts'
import { createRollUp } from './delivery/roll-up.ts'
import { expected, type LimitWindow, MeterError } from './errors.ts'
import type { LLMEvent } from './event.ts'
import { httpLimitStore } from './limits/http-store.ts'
import type { Account, LimitStore } from './limits/limit-store.ts'
import { createLimiter } from './limits/limiter.ts'
import { memoryLimitStore } from './limits/memory-store.ts'
import { createUnsynced } from './limits/unsynced.ts'
import { LIMIT_WINDOWS, windowEnd } from './limits/window.ts'
import { type ManualCall, manualEvent } from './manual.ts'
import { formatUsd, nanoCeil, PICO_PER_NANO, type PicoUsd, parseUsd, picoFromNano } from './money.ts'
import { type MeterOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { createPatches, type Patches, type PatchReport, type SdkReport } from './patch/patches.ts'
import type { SdkName } from './patch/exchange.ts'
import { loadPriceBook } from './pricing/price-book.ts'
import type { PriceBook } from './pricing/price.ts'
import { createProblems } from './problems.ts'
import { createRouting } from './providers/index.ts'
import { httpSink } from './sinks/http.ts'
import { isLedger, type Ledger } from './sinks/ledger.ts'
import type { Sink } from './sinks/sink.ts'
import { sqliteLedger } from './sinks/sqlite.ts'
import { createStats, type MeterStats } from './stats.ts'
import { type Attribution, assignTenant, checkTenantId, currentPayer, perRequest, runAs, runAttributed } from './tenant.ts'

/** A limit as `setLimit` takes it. */
export interface Limit {
  /** Dollars, above 0 or 0 to refuse every call; as a string where it must be exact beyond what a number holds. */
  readonly usd: number | string
  /** The calendar window in UTC that it counts in; default `'month'`. */
  readonly per?: LimitWindow
  /**
   * `'expected'` (default): a call holds the most it can cost when its request caps its output, and else what such calls
   * come to; with nothing in flight and money left, a call is always admitted. `'hard'`: every call holds the most it
   * can cost, so that the limit is never passed, and a request that could pass it is refused.
   */
  readonly mode?: 'expected' | 'hard'
}

/** A tenant's limit and where it stands. Sums are exact decimal dollars. */
export interface LimitState {
  readonly window: LimitWindow
  readonly mode: 'expected' | 'hard'
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside for calls in flight in this process. */
  readonly heldUsd: string
  /** Never below 0. */
  readonly remainingUsd: string
  /** `undefined` for `total`. */
  readonly resetsAt: Date | undefined
}

/**
 * Meters the LLM calls of this process: who pays, what it cost, and whether it may happen.
 *
 * Constructing starts nothing: no timer, socket or file before the first call. Throws MeterError `BAD_OPTION` in one
 * sentence for an option that cannot be.
 *
 * @example
 * const meter = new Meter()
 * meter.patchAll()
 * meter.setLimit('acme', { usd: 50 })
 * await meter.forTenant('acme', () => client.chat.completions.create({ model: 'gpt-4o', messages }))
 */
export class Meter {
  readonly #options: ResolvedOptions
  readonly #problems
  readonly #stats
  readonly #delivery
  readonly #limiter
  readonly #store: LimitStore
  readonly #ledger: Ledger | undefined
  readonly #unsynced = createUnsynced()
  readonly #rollUp
  readonly #calls: Calls
  readonly #patches: Patches
  /** Limits set in this run: what an earlier one left must not replace them. */
  readonly #changed = new Set<string>()
  #book: PriceBook | undefined
  #loadingBook: Promise<PriceBook> | undefined
  #closing: Promise<void> | undefined

  constructor(options: MeterOptions = {}) {
    this.#options = resolveOptions(options)
    const { url, limitsUrl, apiKey, appName, environment, onMissingTenant } = this.#options
    this.#problems = createProblems(this.#options)
    this.#stats = createStats()
    const sinks = this.#options.sinks ?? [this.#defaultSink()]
    this.#ledger = sinks.find(isLedger)
    const baseUrl = limitsUrl ?? (url === undefined ? undefined : url.replace(/\/v1\/ingest\/?$/, ''))
    this.#store =
      this.#options.limitStore ??
      (baseUrl === undefined
        ? memoryLimitStore({ spentSince: (tenantId, since) => this.#spentSince(tenantId, since) })
        : httpLimitStore({
            baseUrl: baseUrl.replace(/\/$/, ''),
            apiKey,
            ttlMs: this.#options.limitCheckCacheTtlMs,
            unsynced: this.#unsynced,
            onFailure: (cause) =>
              this.#problems.report(
                { kind: 'limit', message: 'The limits endpoint did not answer; calls go on with what it said last.', cause },
                'limit:http',
              ),
            onSuccess: () => this.#problems.clear('limit:http'),
          }))
    this.#limiter = createLimiter(this.#restoredFirst(this.#store, baseUrl === undefined && !this.#options.limitStore))
    this.#delivery = createDelivery({
      ...this.#options,
      sinks: sinks.map((sink) => (sink === (this.#ledger ?? sinks[0]) ? this.#noting(sink) : sink)),
      problems: this.#problems,
      beforeEnd: () => this.#settleCalls(),
    })
    this.#rollUp = createRollUp({
      intervalMs: this.#options.flushIntervalMs,
      emit: (event) => this.#delivery.add(event),
    })
    this.#calls = createCalls({
      find: createRouting(this.#options.hosts),
      prices: this.#prices(),
      limiter: this.#limiter,
      problems: this.#problems,
      onMissingTenant,
      appName,
      environment,
      started: () => this.#delivery.watchEnd(),
      refused: () => this.#stats.refused(),
      unpriced: (provider, model) => this.#stats.unpriced(provider, model),
      record: (event, cost) => this.#record(event, cost),
      now: Date.now,
    })
    this.#patches = createPatches(this.#calls.observer)
    perRequest()
  }

  /** Patches every copy of every supported SDK that the application can load; `patches` selects. Never throws for one that is not installed. */
  patchAll(): PatchReport {
    return this.#patches.patchAll(this.#options.patches)
  }

  /**
   * Patches one SDK: every copy that can be found, or exactly the `modules` given (a client class, or a module that has it).
   *
   * @example
   * import OpenAI from 'openai'
   * meter.patch('openai', { modules: [OpenAI] })
   */
  patch(sdk: SdkName, { modules }: { readonly modules?: readonly unknown[] } = {}): SdkReport {
    return this.#patches.patch(sdk, modules)
  }

  /** Meters one client only, and those that its `withOptions` makes; gives the same client back. */
  wrap<Client extends object>(client: Client): Client {
    return this.#patches.wrap(client)
  }

  unpatch(sdk: SdkName): void {
    this.#patches.unpatch(sdk)
  }

  unpatchAll(): void {
    this.#patches.unpatchAll()
  }

  /**
   * Runs `fn`; every call made in it, however deep and however late, is paid for by the tenant.
   * An id that cannot be one is reported, and `fn` runs for no tenant.
   *
   * @example
   * await meter.forTenant('acme', { feature: 'search', userId: 'u1' }, () => handle(request))
   */
  forTenant<T>(tenantId: string, fn: () => T): T
  forTenant<T>(tenantId: string, attribution: Attribution, fn: () => T): T
  forTenant<T>(tenantId: string, second: Attribution | (() => T), third?: () => T): T {
    const [attribution, fn] = typeof second === 'function' ? [{}, second] : [second, third!]
    return runAs(tenantId, attribution, fn, this.#complain)
  }

  /** The tenant of the rest of this HTTP request; outside of one, of the current async task and those it starts. */
  setTenant(tenantId: string): void {
    assignTenant(tenantId, this.#complain)
  }

  /** Runs `fn` with labels on every event of it; nests, and merges with the labels around it. */
  attribute<T>(attribution: Attribution, fn: () => T): T {
    return runAttributed(attribution, fn, this.#complain)
  }

  /** The function with those labels on every event of each of its calls. */
  attributed<Args extends unknown[], T>(attribution: Attribution, fn: (...args: Args) => T): (...args: Args) => T {
    return (...args) => runAttributed(attribution, () => fn(...args), this.#complain)
  }

  /**
   * Records a call that no patch sees: priced, counted against the tenant's limits and delivered like any other.
   * Never throws: what cannot be understood is left out, reported, and flagged on the event.
   *
   * @example
   * meter.trackManually({ provider: 'cohere', model: 'command-r-plus', inputTokens: 512, outputTokens: 128, tenantId: 'acme' })
   */
  trackManually(call: ManualCall): void {
    const payer = currentPayer()
    const now = Date.now()
    const track = (book: PriceBook) =>
      this.#problems.guard('internal', 'tracking a call by hand', () => {
        const { event, cost } = manualEvent(call, {
          payer,
          book,
          appName: this.#options.appName,
          environment: this.#options.environment,
          now,
          complain: this.#complain,
          ignore: (names) => this.#debug(`trackManually: ignored ${names.map((name) => `\`${name}\``).join(', ')}`),
        })
        if (event.usage && cost === undefined) this.#stats.unpriced(event.provider, event.model)
        this.#record(event, cost)
        if (event.tenantId !== undefined && cost !== undefined) this.#spend(event.tenantId, cost, Date.parse(event.timestamp))
      })
    if (this.#book) track(this.#book)
    else this.#calls.pending(this.#prices().load().then(track))
  }

  /**
   * Sets or replaces a tenant's limit; it holds from the next call on. The promise resolves when it is stored, and
   * never rejects: a ledger or backend that cannot store it is reported. Throws MeterError `BAD_INPUT` for a limit
   * that cannot be.
   */
  setLimit(tenantId: string, { usd, per = 'month', mode = 'expected' }: Limit): Promise<void> {
    checkTenantId(tenantId)
    const limit = typeof usd === 'number' || typeof usd === 'string' ? parseUsd(usd) : undefined
    if (limit === undefined || limit < 0n) throw new MeterError('BAD_INPUT', expected('usd', 'a number of dollars, at least 0', usd))
    checkWindow(per)
    if (mode !== 'expected' && mode !== 'hard')
      throw new MeterError('BAD_INPUT', expected('mode', "'expected' or 'hard'", mode))
    return this.#changeLimit(tenantId, per, async () => {
      const stored = this.#store.setLimit({ tenantId, window: per, limitNanoUsd: limit / PICO_PER_NANO, mode })
      this.#limiter.giveBack(tenantId, Date.now())
      await stored
      await this.#ledger?.putLimit({ tenantId, window: per, limit, mode })
    })
  }

  /** Removes a tenant's limit on one window; resolves when that is stored, and never rejects. */
  removeLimit(tenantId: string, per: LimitWindow = 'month'): Promise<void> {
    checkWindow(per)
    return this.#changeLimit(tenantId, per, async () => {
      await this.#store.removeLimit(tenantId, per)
      await this.#ledger?.removeLimit(tenantId, per)
    })
  }

  /** A tenant's limits and where they stand now; empty when it has none. */
  async limits(tenantId: string): Promise<LimitState[]> {
    const now = Date.now()
    const accounts = await this.#limiter.report(tenantId, now)
    return accounts.map((account) => {
      const limit = picoFromNano(account.limitNanoUsd)
      const held = this.#limiter.heldFor(account)
      const spent = picoFromNano(account.committed)
      const ends = windowEnd(account.window, now)
      const left = limit - spent - held
      return {
        window: account.window,
        mode: account.mode,
        limitUsd: formatUsd(limit),
        spentUsd: formatUsd(spent),
        heldUsd: formatUsd(held),
        remainingUsd: formatUsd(left > 0n ? left : 0n),
        resetsAt: ends === undefined ? undefined : new Date(ends),
      }
    })
  }

  /** What this meter has seen, refused, sent and lost so far. */
  stats(): MeterStats {
    return this.#stats.snapshot({
      heldUsd: formatUsd(this.#limiter.heldTotal),
      openCalls: this.#calls.openCount,
      problems: { ...this.#problems.counts },
      delivery: this.#delivery.stats(),
    })
  }

  /**
   * Sends what is queued now. Resolves when every sink has taken or refused it, or has failed once: what failed is kept
   * and tried again later.
   */
  async flush(): Promise<void> {
    await this.#calls.settled()
    this.#rollUp.drain()
    await this.#delivery.flush()
  }

  /**
   * Unpatches everything, records what is still open, and sends everything within `deadlineMs` (5000).
   * The wrappers that a stranger's patch still holds pass everything through. A second call gives the same promise.
   */
  close(deadlineMs?: number): Promise<void> {
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(deadlineMs: number | undefined): Promise<void> {
    this.unpatchAll()
    await this.#settleCalls()
    await this.#delivery.close(deadlineMs)
    await this.#store.close?.()
  }

  async #settleCalls(): Promise<void> {
    await this.#calls.endAll()
    this.#rollUp.drain()
  }

  #defaultSink(): Sink {
    const { url, apiKey, gzip, dir } = this.#options
    if (url !== undefined) return httpSink({ url, gzip, apiKey: apiKey ?? '' })
    return sqliteLedger({ path: `${dir}/ledger.db` })
  }

  /** The same sink, which also tells what of our spend it knows: the limit's arithmetic stands on its figures. */
  #noting(sink: Sink): Sink {
    const note = (outcome: Awaited<ReturnType<Sink['send']>>, events: readonly LLMEvent[]) => {
      if (outcome.outcome === 'delivered') this.#unsynced.delivered(events)
      return outcome
    }
    return {
      name: sink.name,
      send: async (batch, signal) => note(await sink.send(batch, signal), batch.events),
      ...(sink.sendSync && { sendSync: (batch) => note(sink.sendSync!(batch), batch.events) }),
      ...(sink.close && { close: () => sink.close!() }),
    }
  }

  #prices() {
    const meter = this
    return {
      get book() {
        return meter.#book
      },
      load(): Promise<PriceBook> {
        meter.#loadingBook ??= loadPriceBook()
          .catch((cause: unknown): PriceBook => {
            meter.#problems.report({ kind: 'price', message: 'The price book could not be loaded: calls have no cost.', cause })
            return { version: 'none', price: () => undefined, ceiling: () => undefined, maxOutputTokens: () => undefined }
          })
          .then((book) => (meter.#book = book))
        return meter.#loadingBook
      },
    }
  }

  #record(event: LLMEvent, cost: PicoUsd | undefined): void {
    const { onEvent, sampleRate, debug } = this.#options
    this.#stats.recorded(event)
    if (event.tenantId !== undefined && cost !== undefined) 
      this.#unsynced.recorded(event.tenantId, cost, Date.parse(event.timestamp))
    if (debug) this.#debug(lineOf(event))
    if (onEvent) this.#problems.guard('callback', 'calling `onEvent`', () => onEvent(event))
    if (sampleRate === 1 || Math.random() < sampleRate) this.#delivery.add(event)
    else {
      this.#stats.sampledOut()
      this.#rollUp.add(event)
    }
  }

  /** Spend reported by hand was held by nothing: it counts from now on. */
  #spend(tenantId: string, cost: PicoUsd, at: number): void {
    const accounts = this.#limiter.accounts(tenantId, at)
    const spend = (known: readonly Account[]) => this.#limiter.spend(known, cost, at)
    if (accounts instanceof Promise) this.#calls.pending(accounts.then(spend))
    else spend(accounts)
  }

  /** The limits that an earlier process left in the ledger are there before the first call is admitted. */
  #restoredFirst(store: LimitStore, isOurs: boolean): LimitStore {
    const ledger = isOurs ? this.#ledger : undefined
    if (!ledger) return store
    let isRestored = false
    let restoring: Promise<void> | undefined
    const restore = () =>
      (restoring ??= this.#restore(ledger).finally(() => {
        isRestored = true
      }))
    return {
      ...store,
      accounts: (tenantId, at) =>
        isRestored ? store.accounts(tenantId, at) : restore().then(() => store.accounts(tenantId, at)),
    }
  }

  async #restore(ledger: Ledger): Promise<void> {
    try {
      for (const { tenantId, window, limit, mode } of await ledger.limits()) {
        if (this.#changed.has(`${window} ${tenantId}`)) continue
        await this.#store.setLimit({ tenantId, window, limitNanoUsd: limit / PICO_PER_NANO, mode })
      }
    } catch (cause) {
      this.#problems.report(
        { kind: 'ledger', message: 'The limits of earlier runs could not be read from the ledger; only those set in this run hold.', cause },
        'ledger:restore',
      )
    }
  }

  /** What the ledger knows plus what is on its way there, in nano-dollars. */
  async #spentSince(tenantId: string, since: number): Promise<bigint> {
    // Read before the ledger is asked: what arrives in between is counted twice rather than not at all.
    const onItsWay = this.#unsynced.onItsWay(tenantId, since)
    if (!this.#ledger) return nanoCeil(onItsWay)
    try {
      return nanoCeil((await this.#ledger.spent(tenantId, since)) + onItsWay)
    } catch (cause) {
      this.#problems.report(
        { kind: 'ledger', message: 'The spend of earlier runs could not be read from the ledger; limits count from now.', cause },
        'ledger:spent',
      )
      return nanoCeil(onItsWay)
    }
  }

  #changeLimit(tenantId: string, window: LimitWindow, change: () => Promise<void>): Promise<void> {
    this.#changed.add(`${window} ${tenantId}`)
    const work = change().catch((cause: unknown) =>
      this.#problems.report({ kind: 'limit', message: `A limit of tenant ${JSON.stringify(tenantId)} could not be stored.`, cause }),
    )
    this.#calls.pending(work)
    return work
  }

  readonly #complain = (sentence: string): void => {
    this.#problems.report({ kind: 'tenant', message: sentence }, `tenant:${sentence}`)
  }

  #debug(line: string): void {
    if (this.#options.debug) process.stderr.write(`tallygate ${line}\n`)
  }
}

function checkWindow(window: unknown): void {
  if (!LIMIT_WINDOWS.includes(window as LimitWindow))
    throw new MeterError('BAD_INPUT', expected('per', LIMIT_WINDOWS.map((name) => `'${name}'`).join(', '), window))
}

/** One event on one line, for `debug`. */
function lineOf(event: LLMEvent): string {
  const words = [event.tenantId ?? '(no tenant)', event.provider, event.model, event.endpoint]
  if (event.usage) words.push(`${event.inputTokens} in, ${event.outputTokens} out`)
  words.push(event.costUsd === undefined ? 'no price' : `$${event.costUsd}`)
  if (event.usageSource !== 'reported') words.push(event.usageSource)
  if (event.error !== undefined) words.push(event.error)
  words.push(`${event.durationMs ?? 0} ms`)
  return words.join(' | ')
}
