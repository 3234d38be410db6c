// The composition: one meter from its options, and the verbs that an application uses.

import { createMarkup } from './call/markup.ts'
import { createDelivery } from './delivery/delivery.ts'
import { checkDeadline } from './delivery/inputs.ts'
import { createRollUp } from './delivery/roll-up.ts'
import { expected, type LimitWindow, MeterError } from './errors.ts'
import type { LLMEvent } from './event.ts'
import type { Limit, LimitState } from './limits/limit.ts'
import type { LimitTarget } from './limits/scope.ts'
import type { LimitCheck } from './limits/standings.ts'
import type { ManualCall } from './manual.ts'
import { createByHand } from './meter/by-hand.ts'
import { type Calls, createCalls } from './meter/calls.ts'
import { type Coverage, createCoverage } from './meter/coverage.ts'
import { defaultSinks, isNoting, spoolOf } from './meter/destination.ts'
import { type DoctorReport, diagnose } from './meter/doctor.ts'
import { createJobStore } from './meter/job-store.ts'
import { lineOf } from './meter/line-of.ts'
import { createNames, type Names } from './meter/names.ts'
import { type OpenAIClient, type OpenRouterOptions, openRouterClient } from './meter/open-router.ts'
import { createReports, type Reports } from './meter/reports.ts'
import { createStats, type MeterStats } from './meter/stats.ts'
import { createTenantLimits, type TenantLimits } from './meter/tenant-limits.ts'
import { unpricedName, unpricedProblem } from './meter/unpriced.ts'
import { formatUsd } from './money.ts'
import { markupRules } from './options/markup.ts'
import type { PatchTarget } from './options/patch-names.ts'
import { type MeterOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { createPatches, type Patches, type PatchReport, type SdkReport } from './patch/patches.ts'
import { lazyBook } from './pricing/lazy-book.ts'
import type { PriceGap } from './pricing/price.ts'
import { ownPrices } from './pricing/price-file.ts'
import { createProblems } from './problems.ts'
import { createRouting } from './providers/index.ts'
import { definedBy } from './providers/own.ts'
import { isLedger } from './sinks/ledger.ts'
import { type Attribution, assignTenant, perRequest, runAs, runAttributed } from './tenant.ts'

/** For `tallygate/register`: patches what is loaded from now on, and yields to any other meter. */
export let standIn: (meter: Meter) => void

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
  readonly #reports: Reports
  readonly #stats
  readonly #limits: TenantLimits
  readonly #delivery
  readonly #rollUp
  readonly #calls: Calls
  readonly #jobStore
  readonly #patches: Patches
  /** Those of single clients, whose calls are metered whatever else is not. */
  readonly #clients: Patches
  readonly #names: Names
  readonly #coverage: Coverage
  readonly #byHand: (call: ManualCall) => void
  #closing: Promise<void> | undefined

  static {
    standIn = (meter) => {
      meter.#coverage.yield()
      meter.#coverage.want(meter.#options.patches)
      meter.#patches.standIn(meter.#names.sdksOf(meter.#options.patches))
    }
  }

  constructor(options: MeterOptions = {}) {
    const resolved = resolveOptions(options)
    this.#options = resolved
    const sinks = resolved.sinks ?? defaultSinks(resolved)
    this.#reports = createReports({ ...resolved, sinks, stats: () => this.stats(), problems: () => this.#problems })
    this.#stats = createStats(this.#reports)
    this.#problems = createProblems({ ...resolved, noted: this.#reports.problem })
    const prices = lazyBook(this.#problems, resolved.prices === undefined ? undefined : ownPrices(resolved.prices))
    const markup = resolved.markup === undefined ? undefined : createMarkup(markupRules(resolved.markup))
    this.#limits = createTenantLimits({
      options: resolved,
      ledger: sinks.find(isLedger),
      problems: this.#problems,
      keep: (work) => this.#calls.keep(work),
      deliver: () => this.#delivery.flush(),
      ...(isNoting(resolved) && { note: (kind, value) => this.#delivery.note(kind, value) }),
    })
    this.#delivery = createDelivery({
      ...resolved,
      spool: spoolOf(resolved, () => this.#limits.opening()),
      closeAll: () => this.close(),
      sinks: this.#limits.noting(sinks),
      problems: this.#problems,
      beforeEnd: async () => {
        await this.#calls.endAll()
        await this.#limits.end()
      },
      lastWord: this.#reports.end,
      atExit: () => {
        this.#calls.recordAtOnce()
        this.#limits.endAtOnce()
      },
      onAdopted: (orphan) => this.#limits.inherit(orphan),
      isNeeded: () => this.#limits.hasLeases,
    })
    this.#rollUp = createRollUp((event) => this.#delivery.add(event))
    this.#jobStore = createJobStore(`${resolved.dir}/jobs.db`, this.#problems)
    const own = (resolved.providers ?? []).flatMap((provider) => definedBy(provider) ?? [])
    const find = createRouting(resolved.hosts, own)
    this.#coverage = createCoverage(find, this.#problems)
    this.#calls = createCalls({
      find,
      jobStore: this.#jobStore,
      prices,
      limiter: this.#limits.limiter,
      problems: this.#problems,
      kept: resolved,
      onMissingTenant: resolved.onMissingTenant,
      unknownPrice: resolved.unknownPrice,
      markup,
      appName: resolved.appName,
      environment: resolved.environment,
      started: () => this.#delivery.watchEnd(),
      refused: this.#stats.refused,
      unpriced: (provider, model, gap) => this.#unpriced(provider, model, gap),
      record: (event) => this.#record(event),
      room: { events: Math.ceil(resolved.maxQueueSize / 2), again: () => this.#delivery.flush() },
      waitForRoom: () => this.#delivery.room(),
      now: Date.now,
    })
    this.#byHand = createByHand({
      problems: this.#problems,
      prices,
      limiter: this.#limits.limiter,
      markup,
      appName: resolved.appName,
      environment: resolved.environment,
      complain: this.#complain,
      debug: (line) => this.#debug(line),
      unpriced: (provider, model, gap) => this.#unpriced(provider, model, gap),
      record: (event) => this.#record(event),
      keep: (work, atOnce) => {
        this.#delivery.watchEnd()
        this.#calls.keep(work, atOnce)
      },
    })
    const { observer } = this.#calls
    this.#clients = createPatches(observer)
    this.#patches = createPatches({
      ...observer,
      ask: (payer, request) => (this.#names.isMeant(request) ? observer.ask?.(payer, request) : undefined),
      begin: (payer, request) => (this.#names.isMeant(request) ? observer.begin(payer, request) : undefined),
    })
    this.#names = createNames(this.#patches, find, own)
    perRequest()
  }

  /** Patches every copy of every supported SDK that the application can load; `patches` selects. Never throws for one that is not installed. */
  patchAll(): PatchReport {
    if (this.#isClosed('patchAll')) return { sdks: [] }
    this.#coverage.want(this.#options.patches)
    return this.#names.patchAll(this.#options.patches)
  }

  /**
   * Patches one SDK: every copy that can be found, or exactly the `modules` given (a client class, or a module that has
   * it). By the name of a provider, the SDK that calls it, for the calls of that provider. Throws MeterError `BAD_INPUT`
   * for a name that is neither.
   *
   * @example
   * import OpenAI from 'openai'
   * meter.patch('openai', { modules: [OpenAI] })
   * meter.unpatch('deepseek') // calls of this host pass unmetered
   * meter.patch('deepseek')
   */
  patch(name: PatchTarget, { modules }: { readonly modules?: readonly unknown[] } = {}): SdkReport {
    if (this.#isClosed('patch')) return { sdk: name as SdkReport['sdk'], status: 'failed', copies: [] }
    const report = this.#names.patch(name, modules)
    this.#coverage.want([name])
    return report
  }

  /** Meters one client only, and those that its `withOptions` makes; gives the same client back. */
  wrap<Client extends object>(client: Client): Client {
    return this.#isClosed('wrap') ? client : this.#clients.wrap(client)
  }

  /**
   * A ready client of the application's own openai, for OpenRouter: metered, whatever else is patched.
   *
   * @example
   * const router = meter.openRouter({ apiKey })
   * await router.chat.completions.create({ model: 'anthropic/claude-sonnet-4.5', messages })
   */
  openRouter(options: OpenRouterOptions = {}): OpenAIClient {
    return this.wrap(openRouterClient(options))
  }

  /** Undoes `patch`: an SDK's calls, or those of one provider, pass unmetered from now on. */
  unpatch(name: PatchTarget): void {
    this.#names.unpatch(name)
    this.#coverage.leaveOut(name)
  }

  unpatchAll(): void {
    this.#coverage.stop()
    this.#names.unpatchAll()
    this.#clients.unpatchAll()
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
    const [attribution, fn] = typeof second === 'function' ? [undefined, second] : [second, third]
    if (typeof fn !== 'function') throw new MeterError('BAD_INPUT', expected('fn', 'a function', fn))
    return runAs(tenantId, attribution, fn, this.#complain)
  }

  /**
   * The tenant of the rest of this HTTP request, and labels of its events; `undefined`: labels alone. Outside of a
   * request, of the current async task and those it starts.
   *
   * @example
   * meter.setTenant('acme', { userId: 'u1' })
   */
  setTenant(tenantId: string | undefined, attribution?: Attribution): void {
    assignTenant(tenantId, this.#complain, attribution)
  }

  /** Runs `fn` with labels on every event of it; nests, and merges with the labels around it. */
  attribute<T>(attribution: Attribution, fn: () => T): T {
    return runAttributed(attribution, fn, this.#complain)
  }

  /** The function with those labels on every event of each of its calls. */
  attributed<Args extends unknown[], T>(attribution: Attribution, fn: (...args: Args) => T): (...args: Args) => T {
    const complain = this.#complain
    return function attributed(this: unknown, ...args) {
      return runAttributed(attribution, () => fn.apply(this, args), complain)
    }
  }

  /**
   * Records a call that no patch sees: priced, counted against the tenant's limits and delivered like any other.
   * Never throws: what cannot be understood is left out, reported, and flagged on the event. A call reported again under
   * the same `eventId` counts once.
   *
   * @example
   * meter.trackManually({ provider: 'cohere', model: 'command-r-plus', inputTokens: 512, outputTokens: 128, tenantId: 'acme' })
   */
  trackManually(call: ManualCall): void {
    this.#byHand(call)
  }

  /**
   * Sets or replaces a limit: of a tenant, of something of one, of several together, or of every call (`'*'`). It holds
   * from the next call on. The promise resolves when it is stored, and never rejects: a store that cannot store it is
   * reported. Throws MeterError `BAD_INPUT` for a limit that cannot be.
   *
   * @example
   * meter.setLimit('acme', { usd: 50 })
   * meter.setLimit({ tenant: 'acme', user: 'u1' }, { usd: 2, per: 'day', timeZone: 'Europe/Berlin' })
   * meter.setLimit({ organization: 'big', tenants: ['acme', 'globex'] }, { usd: 500, mode: 'hard' })
   */
  setLimit(target: LimitTarget, limit: Limit): Promise<void> {
    return this.#limits.set(target, limit)
  }

  /** Removes a limit on one window; resolves when that is stored, and never rejects. */
  removeLimit(target: LimitTarget, per: LimitWindow = 'month'): Promise<void> {
    return this.#limits.remove(target, per)
  }

  /** One limit and where it stands now. */
  getLimit(target: LimitTarget, per: LimitWindow = 'month'): Promise<LimitState | undefined> {
    return this.#limits.state(target, per)
  }

  /** The limits of a tenant, or of another scope, and where they stand now; empty when it has none. */
  limits(target: LimitTarget): Promise<LimitState[]> {
    return this.#limits.states(target)
  }

  /** Whether a call of the tenant that costs so much would be let through now; without an estimate, whether money is left. */
  checkLimit(tenantId: string, question: { readonly estimateUsd?: number | string } = {}): Promise<LimitCheck> {
    return this.#limits.check(tenantId, question)
  }

  /** What this meter has seen, refused, sent and lost so far. */
  stats(): MeterStats {
    return this.#stats.snapshot({
      heldUsd: formatUsd(this.#limits.limiter.heldTotal),
      openCalls: this.#calls.openCount,
      limits: this.#limits.stats(),
      tokenRatios: this.#calls.tokenRatios,
      problems: { ...this.#problems.counts },
      delivery: this.#delivery.stats(),
      coverage: this.#coverage.snapshot(),
    })
  }

  /**
   * Which copies of which SDKs are here, which of them are patched and why others are not, and what this process sent
   * to known hosts past the meter. Loads nothing.
   *
   * @example
   * for (const sentence of meter.doctor().advice) console.warn(sentence)
   */
  doctor(): DoctorReport {
    return diagnose(this.#patches.report(), this.#coverage.snapshot())
  }

  /**
   * Sends what is queued now. Resolves when every sink has taken or refused it, or has failed once: what failed is kept
   * and tried again later. With `durable` it resolves when all of it is on the disk itself, whatever the sinks do.
   * Rejects with MeterError `BAD_INPUT` for anything but such an object.
   */
  async flush(options?: { readonly durable?: boolean | undefined }): Promise<void> {
    await this.#calls.settled()
    this.#rollUp.drain()
    await this.#delivery.flush(options)
  }

  /**
   * Unpatches everything, records what is still open, and sends everything within `deadlineMs` (5000).
   * The wrappers that a stranger's patch still holds pass everything through. A second call gives the same promise.
   * Throws MeterError `BAD_INPUT`, and closes nothing, for a deadline that is no number of 0 or more.
   */
  close(deadlineMs?: number): Promise<void> {
    return (this.#closing ??= this.#close(checkDeadline(deadlineMs)))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(deadlineMs: number | undefined): Promise<void> {
    this.unpatchAll()
    await this.#calls.endAll()
    this.#rollUp.drain()
    // While there is a spool: what the store cannot be told now is settled from there.
    await this.#limits.close()
    await this.#delivery.close(deadlineMs)
    this.#jobStore.close()
  }

  #record(event: LLMEvent): void {
    const { onEvent, sampleRate, debug } = this.#options
    this.#stats.recorded(event)
    if (sampleRate === 1 || Math.random() < sampleRate) this.#delivery.add(event)
    else {
      this.#stats.sampledOut(event)
      this.#rollUp.add(event)
      this.#delivery.watchRollUp(() => this.#rollUp.drain())
    }
    if (debug) this.#debug(lineOf(event))
    if (onEvent) this.#problems.guard('callback', 'calling `onEvent`', () => onEvent(event))
  }

  #unpriced(provider: string, model: string, gap: PriceGap | undefined): void {
    const name = unpricedName(provider, model, gap)
    this.#stats.unpriced(name)
    this.#problems.report(unpricedProblem(provider, model, gap), `price:${name}`)
  }

  #isClosed(verb: string): boolean {
    if (!this.#closing) return false
    const message = `\`${verb}\` was called on a meter that is closed; it does nothing.`
    this.#problems.report({ kind: 'internal', message }, `closed:${verb}`)
    return true
  }

  /** Said once for each kind of fault, however many values have it. */
  readonly #complain = (sentence: string): void => {
    this.#problems.report({ kind: 'tenant', message: sentence }, `tenant:${sentence.split(', got ', 1)[0]}`)
  }

  #debug(line: string): void {
    // One line, whatever a model or a label is called.
    if (this.#options.debug) process.stderr.write(`tallygate ${line.replace(/\p{Cc}+/gu, ' ')}\n`)
  }
}
