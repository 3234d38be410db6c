// Every error a caller can meet. Brands under Symbol.for keep `instanceof` true across ESM and CJS copies of this package.

export type MeterErrorCode =
  | 'BAD_OPTION'
  | 'BAD_INPUT'
  | 'MISSING_TENANT'
  | 'LIMIT_EXCEEDED'
  | 'DELIVERY_REJECTED'
  | 'LEDGER_UNAVAILABLE'

const METER_ERROR = Symbol.for('tallygate.MeterError')
const LIMIT_EXCEEDED = Symbol.for('tallygate.LimitExceededError')
const MISSING_TENANT = Symbol.for('tallygate.MissingTenantError')

function isBranded(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true
}

/** Base of every error that tallygate throws; `code` says which. */
export class MeterError extends Error {
  readonly code: MeterErrorCode

  constructor(code: MeterErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.name = new.target.name
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, METER_ERROR)
  }
}
Object.defineProperty(MeterError.prototype, METER_ERROR, { value: true })

/** The calendar window that a limit counts in; `total` never resets. */
export type LimitWindow = 'hour' | 'day' | 'week' | 'month' | 'total'

/** What a refusal says, as data, so that an application can build its upgrade prompt without parsing text. */
export interface Refusal {
  readonly tenantId: string
  /** Exact decimal dollars. */
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside for calls in flight. */
  readonly heldUsd: string
  readonly window: LimitWindow
  readonly scope: 'tenant'
  /** When the window ends; `undefined` for `total`. */
  readonly resetsAt: Date | undefined
}

/**
 * The tenant's money is spent: thrown before anything is sent.
 *
 * What a patched SDK throws is also an instance of that SDK's own `APIError` with status 402, so that stream helpers
 * and retry loops of the SDK treat it as an answer; this class matches all of them by `instanceof`.
 *
 * @example
 * try {
 *   await client.chat.completions.create({ model: 'gpt-4o', messages })
 * } catch (error) {
 *   if (error instanceof LimitExceededError) return upgradePrompt(error.tenantId, error.resetsAt)
 *   throw error
 * }
 */
export class LimitExceededError extends MeterError implements Refusal {
  readonly tenantId!: string
  readonly limitUsd!: string
  readonly spentUsd!: string
  readonly heldUsd!: string
  readonly window!: LimitWindow
  readonly scope!: 'tenant'
  readonly resetsAt!: Date | undefined
  /** 402: neither SDKs nor frameworks retry it. */
  readonly status: number

  constructor(refusal: Refusal) {
    const until = refusal.resetsAt ? `; it resets at ${refusal.resetsAt.toISOString()}` : ''
    const held = refusal.heldUsd === '0' ? '' : ` and $${refusal.heldUsd} held for calls in flight`
    const per = refusal.window === 'total' ? 'in total' : `per ${refusal.window}`
    super(
      'LIMIT_EXCEEDED',
      `Tenant ${JSON.stringify(refusal.tenantId)} has $${refusal.spentUsd} spent${held} of its limit of $${refusal.limitUsd} ${per}${until}.`,
    )
    Object.assign(this, refusal)
    this.status = 402
  }

  /**
   * The refusal behind an error: the error itself, or, where a framework has met the refusal as an answer with status
   * 402 and made an error of its own from it (`APICallError` of the AI SDK, errors of LangChain, Mistral, Cohere), what
   * that answer said. `undefined` for every other error.
   *
   * @example
   * try {
   *   await meter.forTenant('acme', () => handle(request))
   * } catch (error) {
   *   const refusal = LimitExceededError.from(error)
   *   if (!refusal) throw error
   *   upgradePrompt(refusal.tenantId, refusal.resetsAt)
   * }
   */
  static from(error: unknown): LimitExceededError | undefined {
    return refusalIn(error, 0)
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, LIMIT_EXCEEDED)
  }
}
Object.defineProperty(LimitExceededError.prototype, LIMIT_EXCEEDED, { value: true })

/** Where errors keep the errors that they were made of, and the body of the answer that they tell of. */
const WITHIN = ['cause', 'lastError', 'errors', 'error', 'data', 'data$', 'metadata', 'body', 'responseBody', 'body$']
const DEEPEST = 6

function refusalIn(value: unknown, depth: number): LimitExceededError | undefined {
  if (depth > DEEPEST) return undefined
  if (value instanceof LimitExceededError) return value
  if (typeof value === 'string')
    return value.includes('"LIMIT_EXCEEDED"') ? refusalIn(parsed(value), depth + 1) : undefined
  if (typeof value !== 'object' || value === null) return undefined
  const told = toldBy((value as { tallygate?: unknown }).tallygate)
  if (told) return told
  for (const name of Array.isArray(value) ? value.keys() : WITHIN) {
    const found = refusalIn((value as Record<string | number, unknown>)[name], depth + 1)
    if (found) return found
  }
  return undefined
}

function toldBy(facts: unknown): LimitExceededError | undefined {
  if ((facts as { code?: unknown } | undefined)?.code !== 'LIMIT_EXCEEDED') return undefined
  const { tenantId, limitUsd, spentUsd, heldUsd, window, scope, resetsAt } = facts as {
    [Name in keyof Refusal]: string
  }
  const until = resetsAt === undefined ? undefined : new Date(resetsAt)
  return new LimitExceededError({
    tenantId,
    limitUsd,
    spentUsd,
    heldUsd,
    window: window as LimitWindow,
    scope: scope as 'tenant',
    resetsAt: until,
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A call was made for no tenant while `onMissingTenant` is `'throw'`. */
export class MissingTenantError extends MeterError {
  readonly status: number

  constructor() {
    super(
      'MISSING_TENANT',
      "This call was made for no tenant: wrap it in `meter.forTenant(id, fn)`, call `meter.setTenant(id)` first, or set `onMissingTenant: 'record'`.",
    )
    this.status = 402
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, MISSING_TENANT)
  }
}
Object.defineProperty(MissingTenantError.prototype, MISSING_TENANT, { value: true })

/** The one sentence that every refused value gets: what was expected, and what came. */
export function expected(name: string, expectation: string, got: unknown): string {
  return `Expected \`${name}\` to be ${expectation}, got ${describe(got)}.`
}

/** Short strings are names and slips; what a long one says is nobody's business, and may be a prompt. */
const QUOTED = 40

function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length <= QUOTED ? JSON.stringify(value) : `a string of ${value.length} characters`
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return `\`${value}\``
  if (typeof value === 'bigint') return `\`${value}n\``
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'symbol') return 'a symbol'
  return typeof value === 'function' ? 'a function' : 'an object'
}
