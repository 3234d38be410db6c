// Every error a caller can meet. Brands under Symbol.for keep `instanceof` true across ESM and CJS copies of this package.

export type MeterErrorCode =
  | 'BAD_OPTION'
  | 'BAD_INPUT'
  | 'MISSING_TENANT'
  | 'LIMIT_EXCEEDED'
  | 'UNKNOWN_PRICE'
  | 'LIMIT_STORE_DOWN'
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

/** What happens to a call that a limit has no money for, and how much a call holds; see `Limit.mode`. */
export const LIMIT_MODES = ['expected', 'hard', 'clamp', 'stream', 'soft', 'observe'] as const
export type LimitMode = (typeof LIMIT_MODES)[number]

/** What a limit is for: the narrowest of what it names; `'*'` is every call. */
export type LimitScopeName = 'tenant' | 'user' | 'feature' | 'model' | 'session' | 'run' | 'organization' | '*'

/** Why a call was refused: the money is spent, or nobody can say whether it is (`onLimitStoreDown`), or what it costs (`unknownPrice`). */
export const REFUSAL_CODES = ['LIMIT_EXCEEDED', 'LIMIT_STORE_DOWN', 'UNKNOWN_PRICE'] as const
export type RefusalCode = (typeof REFUSAL_CODES)[number]

/** What a refusal at a limit says, as data, so that an application can build its upgrade prompt without parsing text. */
export interface Refusal {
  /** `'LIMIT_EXCEEDED'` where it is left out. */
  readonly code?: 'LIMIT_EXCEEDED' | 'LIMIT_STORE_DOWN'
  /** Whose call it was; `undefined` for nobody's, which a limit of a feature, a model or everything may refuse. */
  readonly tenantId: string | undefined
  /** Exact decimal dollars. */
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside for calls in flight. */
  readonly heldUsd: string
  readonly window: LimitWindow
  readonly scope: LimitScopeName
  /** The limit's whole scope by its canonical name, `tenant=acme&user=u1`; the tenant's own where it is left out. */
  readonly limitOf?: string
  readonly mode?: LimitMode
  /** There is money for the call's input, and the request sets no cap on its output: with one it would have passed. */
  readonly wouldPassWithCap?: boolean
  /** When money comes back: as the window ends, or the oldest spend of a rolling one has left it; `undefined` for `total`, and where nobody knows. */
  readonly resetsAt: Date | undefined
}

/** What a refusal says where the store that knows the limits has not answered yet: no figures. */
export interface BlindRefusal extends Partial<Omit<Refusal, 'code'>> {
  readonly code: 'LIMIT_STORE_DOWN'
}

/** What a refusal for want of a price says; the figures are those of the hard limit that asks for one, where there is one. */
export interface PriceRefusal extends Partial<Omit<Refusal, 'code'>> {
  readonly code: 'UNKNOWN_PRICE'
  readonly provider: string
  readonly model: string
}

/**
 * The tenant's money is spent, or what the call would cost is not known and must be: thrown before anything is sent.
 * `code` says which of the two.
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
export class LimitExceededError extends MeterError implements Partial<Omit<Refusal, 'code'>> {
  declare readonly code: RefusalCode
  /** With the code `LIMIT_EXCEEDED`, this and what follows is always there; see `Refusal`. */
  declare readonly tenantId?: string | undefined
  declare readonly limitUsd?: string
  declare readonly spentUsd?: string
  declare readonly heldUsd?: string
  declare readonly window?: LimitWindow
  declare readonly scope?: LimitScopeName
  declare readonly limitOf?: string
  declare readonly mode?: LimitMode
  declare readonly wouldPassWithCap?: boolean
  declare readonly resetsAt?: Date | undefined
  /** With the code `UNKNOWN_PRICE`: what has none. */
  declare readonly provider?: string
  declare readonly model?: string
  /** 402: neither SDKs nor frameworks retry it. */
  readonly status: number

  constructor(refusal: Refusal | BlindRefusal | PriceRefusal) {
    const { code = 'LIMIT_EXCEEDED' } = refusal
    super(code, sentenceOf(refusal))
    Object.assign(this, refusal, { code })
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

function sentenceOf(refusal: Refusal | BlindRefusal | PriceRefusal): string {
  if (refusal.code === 'UNKNOWN_PRICE') return withoutPrice(refusal)
  if (isBlind(refusal))
    return 'The limit store does not answer, so it is not known which limits there are, and calls are refused; `onLimitStoreDown` decides that.'
  const { limitUsd, spentUsd, heldUsd, window, resetsAt, wouldPassWithCap } = refusal
  const who = subjectOf(refusal)
  if (refusal.code === 'LIMIT_STORE_DOWN')
    return `The limit store does not answer, so calls under the limit of ${who} are refused; \`onLimitStoreDown\` decides that.`
  const until = resetsAt ? `; it resets at ${resetsAt.toISOString()}` : ''
  const held = heldUsd === '0' ? '' : ` and $${heldUsd} held for calls in flight`
  const per = window === 'total' ? 'in total' : `per ${window}`
  const hint = wouldPassWithCap ? ' The request sets no output cap; with one it would have passed.' : ''
  return `${upper(who)} has $${spentUsd} spent${held} of its limit of $${limitUsd} ${per}${until}.${hint}`
}

function isBlind(refusal: Refusal | BlindRefusal): refusal is BlindRefusal {
  return refusal.code === 'LIMIT_STORE_DOWN' && refusal.limitUsd === undefined
}

/** `tenant "acme"`, `feature "search" of tenant "acme"`, `organization "big"`, `everything`. */
function subjectOf({ tenantId, limitOf }: Refusal): string {
  if (limitOf === undefined) return `tenant ${JSON.stringify(tenantId)}`
  if (limitOf === '*') return 'everything'
  const parts = limitOf.split('&').map((part) => {
    const [name, value = ''] = part.split('=')
    return `${name} ${JSON.stringify(decodeURIComponent(value))}`
  })
  return parts.reverse().join(' of ')
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function withoutPrice({ provider, model, tenantId, limitUsd }: PriceRefusal): string {
  const whose = limitUsd === undefined ? '' : ` for tenant ${JSON.stringify(tenantId)}, which has a hard limit`
  const what = `model ${JSON.stringify(model.slice(0, 100))} of ${provider}`
  return `No price is known for ${what}, so its calls are refused${whose}: give it one with the option \`prices\`, or set \`unknownPrice\`.`
}

/** Where errors keep the errors that they were made of, and the body of the answer that they tell of. */
const WITHIN = ['cause', 'lastError', 'errors', 'error', 'data', 'data$', 'metadata', 'body', 'responseBody', 'body$']
const DEEPEST = 6

function refusalIn(value: unknown, depth: number): LimitExceededError | undefined {
  if (depth > DEEPEST) return undefined
  if (value instanceof LimitExceededError) return value
  if (typeof value === 'string')
    return REFUSAL_CODES.some((code) => value.includes(`"${code}"`)) ? refusalIn(parsed(value), depth + 1) : undefined
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
  const { code, resetsAt, ...told } = (facts ?? {}) as Record<string, string>
  if (!REFUSAL_CODES.includes(code as RefusalCode)) return undefined
  const { message: _, ...figures } = told
  const until = resetsAt === undefined ? undefined : new Date(resetsAt)
  return new LimitExceededError({ ...figures, code, resetsAt: until } as unknown as Refusal | PriceRefusal)
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
