// What of an event is billed: one exact decimal for each meter of a billing service.

import { expected, MeterError } from '../../errors.ts'
import type { LLMEvent } from '../../event.ts'
import { formatUsd, nanoCeil, parseDollars, parseUsd } from '../../money.ts'
import { OPEN_JOB } from '../../usage.ts'
import type { Batch, Delivery, RejectedEvent } from '../sink.ts'

/**
 * `cost`: exact decimal dollars of what the call cost. `resale`: of what you charge for it, by the option `markup`.
 * `nano-usd`: the cost in billionths of a dollar, rounded up, for a meter that takes whole numbers only. `tokens`,
 * `input-tokens`, `output-tokens`: counts. Or a function; nothing, and nothing is billed. A number that is no whole one
 * should be given as text: `'0.1'`.
 */
export type Value =
  | 'cost'
  | 'resale'
  | 'nano-usd'
  | 'tokens'
  | 'input-tokens'
  | 'output-tokens'
  | ((event: LLMEvent) => string | number | bigint | undefined)

/**
 * What becomes of the estimate of a job that was not over. `hold`: it is not billed, and is set aside with its reason;
 * what is reported comes under the same id and is. `bill`: it is billed at once, and stays, since none of these services
 * takes a value back for good: what is reported later counts as its duplicate.
 */
export type Estimates = 'hold' | 'bill'

/** One thing to be billed. */
export interface Measurement {
  readonly event: LLMEvent
  /** The meter's name at the service. */
  readonly meter: string
  /** Whom to bill, by the service's name of them. */
  readonly account: string
  /** Exact decimal digits. */
  readonly value: string
  /** The same on every try: what makes it count once. */
  readonly key: string
}

export interface MeasureOptions {
  /** What to bill, by the name of the meter. */
  readonly meters: Readonly<Record<string, Value>>
  /** Whom to bill; nothing, and the event is set aside. */
  readonly account: (event: LLMEvent) => string | undefined
  readonly maxKeyLength: number
  readonly estimates: Estimates
}

const WORDS = ['cost', 'resale', 'nano-usd', 'tokens', 'input-tokens', 'output-tokens']
const DECIMAL = /^\d+(\.\d+)?$/

export function checkMeters(name: string, value: unknown): Readonly<Record<string, Value>> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (entries.length === 0)
    throw new MeterError('BAD_OPTION', expected(name, "an object such as `{ llm_cost: 'cost' }`", value))
  for (const [meter, what] of entries)
    if (typeof what !== 'function' && !WORDS.includes(what as string))
      throw new MeterError('BAD_OPTION', expected(`${name}.${meter}`, `a function or one of ${WORDS.join(', ')}`, what))
  return value as Record<string, Value>
}

export function checkEstimates(value: unknown = 'hold'): Estimates {
  if (value === 'hold' || value === 'bill') return value
  throw new MeterError('BAD_OPTION', expected('estimates', "'hold' or 'bill'", value))
}

/** Why an event is not billed now, if it is not. */
export function heldBack({ usageSource, usageFlags }: LLMEvent, estimates: Estimates): string | undefined {
  if (estimates === 'bill' || usageSource !== 'estimated' || !usageFlags?.includes(OPEN_JOB)) return undefined
  return 'it is an estimate of a job that was not over: what the provider reports of it is billed'
}

/** Each id once: the first event of it, or what was reported where that is an estimate. */
export function oneOfEach(events: readonly LLMEvent[]): readonly LLMEvent[] {
  const byId = new Map<string, LLMEvent>()
  for (const event of events) {
    const known = byId.get(event.eventId)
    const replaces = known?.usageSource === 'estimated' && event.usageSource === 'reported'
    if (known === undefined || replaces) byId.set(event.eventId, event)
  }
  return byId.size === events.length ? events : [...byId.values()]
}

export interface Measured {
  readonly measurements: readonly Measurement[]
  readonly rejected: readonly RejectedEvent[]
  /** Events of an id that another event of the batch has. */
  readonly repeated: number
}

export function measure(events: readonly LLMEvent[], options: MeasureOptions): Measured {
  const measurements: Measurement[] = []
  const rejected: RejectedEvent[] = []
  const once = oneOfEach(events)
  for (const event of once) {
    try {
      measurements.push(...measurementsOf(event, options))
    } catch (cause) {
      // What a function of the application's throws can quote the event.
      const reason = cause instanceof MeterError ? cause.message : 'what to bill could not be read from it'
      rejected.push({ eventId: event.eventId, reason })
    }
  }
  return { measurements, rejected, repeated: events.length - once.length }
}

function measurementsOf(event: LLMEvent, { meters, account, maxKeyLength, estimates }: MeasureOptions): Measurement[] {
  const values = Object.entries(meters).flatMap(([meter, what]) => {
    const value = valueIn(event, what)
    return value === undefined ? [] : [{ meter, value }]
  })
  if (values.length === 0) return []
  const why = heldBack(event, estimates)
  if (why !== undefined) throw new MeterError('BAD_INPUT', why)
  if (Number.isNaN(Date.parse(event.timestamp))) throw new MeterError('BAD_INPUT', 'its `timestamp` is no time')
  const payer = account(event)
  if (typeof payer !== 'string' || payer === '') throw new MeterError('BAD_INPUT', 'nobody is named who pays for it')
  return values.map(({ meter, value }) => ({
    event,
    meter,
    account: payer,
    value,
    key: keyOf(event.eventId, meter, maxKeyLength),
  }))
}

/** `undefined` where there is nothing to bill. Throws for what ought to be billed and cannot. */
function valueIn(event: LLMEvent, what: Value): string | undefined {
  const given = typeof what === 'function' ? what(event) : ownValue(event, what)
  if (given === undefined) return undefined
  const text = typeof given === 'number' ? digitsOf(given) : String(given)
  if (!DECIMAL.test(text)) throw new MeterError('BAD_INPUT', 'what is billed for it is no number of 0 or more')
  return /^0+(\.0+)?$/.test(text) ? undefined : text
}

/** Of a number that is no whole one at most 12 digits behind the point, which a double has no more to say than. */
function digitsOf(given: number): string {
  const pico = Number.isSafeInteger(given) ? undefined : parseDollars(given)
  return pico === undefined ? String(given) : formatUsd(pico)
}

function ownValue(event: LLMEvent, what: Exclude<Value, (event: LLMEvent) => unknown>): string | number | undefined {
  const { inputTokens, outputTokens, totalTokens } = event
  switch (what) {
    case 'tokens':
      return totalTokens ?? (inputTokens ?? 0) + (outputTokens ?? 0)
    case 'input-tokens':
      return inputTokens
    case 'output-tokens':
      return outputTokens
    case 'resale':
      if (event.resaleUsd === undefined && event.costUsd !== undefined)
        throw new MeterError('BAD_INPUT', 'it says nothing of a resale price: the option `markup` sets one')
      return event.resaleUsd ?? unpriced(event)
    case 'cost':
      return event.costUsd ?? unpriced(event)
    case 'nano-usd':
      return event.costUsd === undefined ? unpriced(event) : String(nanoCeil(parseUsd(event.costUsd)!))
  }
}

/** A call that used nothing costs nothing; one whose price nobody knows must not be billed as if it had. */
function unpriced({ costSource }: LLMEvent): undefined {
  if (costSource === 'unpriced') throw new MeterError('BAD_INPUT', 'it has no known price')
  return undefined
}

function keyOf(eventId: string, meter: string, most: number): string {
  const key = `${eventId}:${meter}`
  if (key.length <= most) return key
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(key).digest('hex')
}

/** What became of a batch's measurements so far, over its tries: what was taken is not sent again. */
export interface Progress extends Measured {
  readonly done: Set<string>
  readonly refused: Map<string, RejectedEvent>
  duplicates: number
}

/** By the batch itself, which is the same on every try. */
export function createProgress(options: MeasureOptions): (batch: Batch) => Progress {
  const known = new WeakMap<Batch, Progress>()
  return (batch) => {
    const progress = known.get(batch) ?? begin(measure(batch.events, options))
    known.set(batch, progress)
    return progress
  }
}

function begin(measured: Measured): Progress {
  return { ...measured, done: new Set(), refused: new Map(), duplicates: measured.repeated }
}

export function open({ measurements, done }: Progress): Measurement[] {
  return measurements.filter(({ key }) => !done.has(key))
}

export function refuse({ done, refused }: Progress, { key, event }: Measurement, reason: string): void {
  done.add(key)
  refused.set(event.eventId, { eventId: event.eventId, reason })
}

export function delivered({ rejected, refused, duplicates }: Progress): Delivery {
  const all = [...rejected, ...refused.values()]
  return { outcome: 'delivered', duplicates, ...(all.length > 0 ? { rejected: all } : {}) }
}
