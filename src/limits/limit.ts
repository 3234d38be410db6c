// A limit as an application says it, and as it sees where it stands.

import { expected, LIMIT_MODES, type LimitMode, type LimitWindow, MeterError } from '../errors.ts'
import { formatUsd, PICO_PER_NANO, PICO_PER_USD, type PicoUsd, parseDollars } from '../money.ts'
import type { LimitRule, LimitSettings } from './limit-store.ts'
import { type LimitTarget, scopeOf, targetOf } from './scope.ts'
import { calendarOf, LIMIT_WINDOWS } from './window.ts'

/** A limit as `setLimit` takes it. */
export interface Limit {
  /** Dollars, to a billionth, rounded down; 0 refuses every call that costs something. */
  readonly usd: number | string
  /** The window that it counts in; default `'month'`. One limit a window: setting it again replaces it. */
  readonly per?: LimitWindow
  /** The IANA name of the time zone whose calendar it is; default `'UTC'`. */
  readonly timeZone?: string
  /** Where its window begins: for a month the day (1 to 31), for a week the weekday (1 is Monday), for a day the hour (0 to 23). */
  readonly anchor?: number
  /** Counts the last hour, day, week or 30 days instead of those of the calendar, in slots of 5 minutes, 1 hour, 6 hours and 1 day. */
  readonly rolling?: boolean
  /**
   * `'expected'` (default): a call holds what such calls of this tenant come to; with nothing in flight and money left,
   * a call is always admitted. `'hard'`: every call holds the most that it can cost, so that the limit is never passed.
   * `'clamp'`: hard, and the output cap of a request is lowered to what is left. `'stream'`: hard, but a streamed answer
   * holds money as it comes, and is ended when there is none. `'soft'`: only warns. `'observe'`: only counts what
   * `'expected'` would have refused.
   */
  readonly mode?: LimitMode
  /** With `'clamp'`: the least output that is of use, in tokens; default 256. A call that cannot have it is refused. */
  readonly minOutputTokens?: number
}

/** A limit and where it stands. Sums are exact decimal dollars. */
export interface LimitState {
  /** What it is for, as `setLimit` takes it. */
  readonly of: LimitTarget
  readonly window: LimitWindow
  readonly mode: LimitMode
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside: here for calls in flight, in other processes for those too and for their next ones. */
  readonly heldUsd: string
  /** Never below 0. */
  readonly remainingUsd: string
  /**
   * When money comes back: the end of the window. Of a rolling one the moment at which its oldest spend has left, and so
   * much with it that more is free than now. `undefined` for `total`, and where nothing is out or the store does not say.
   */
  readonly resetsAt: Date | undefined
}

const FIELDS: readonly string[] = [
  'usd',
  'per',
  'timeZone',
  'anchor',
  'rolling',
  'mode',
  'minOutputTokens',
] satisfies (keyof Limit)[]

/** What a store holds in 64 bits of nano-dollars, in whole dollars. */
export const MOST_USD = 9_223_372_036n
export const MIN_OUTPUT_TOKENS = 256

/** The rule of a limit. Throws MeterError `BAD_INPUT` in one sentence for one that cannot be. */
export function ruleOf(target: LimitTarget, limit: Limit): LimitRule {
  const { scope, tenants } = scopeOf(target)
  if (scope.startsWith('organization=') && !tenants)
    throw new MeterError('BAD_INPUT', expected('tenants', 'the list of tenants that share the limit', undefined))
  if (typeof limit !== 'object' || limit === null)
    throw new MeterError('BAD_INPUT', expected('limit', 'an object such as `{ usd: 50 }`', limit))
  for (const name of Object.keys(limit))
    if (!FIELDS.includes(name))
      throw new MeterError(
        'BAD_INPUT',
        `There is no field \`${name.slice(0, 40)}\` in a limit; the fields are ${FIELDS.join(', ')}.`,
      )
  const { usd, per = 'month', mode = 'expected' } = limit
  const dollars = parseDollars(usd)
  if (dollars === undefined || dollars < 0n || dollars > MOST_USD * PICO_PER_USD)
    throw new MeterError('BAD_INPUT', expected('usd', `a number of dollars from 0 to ${MOST_USD}`, usd))
  if (dollars > 0n && dollars < PICO_PER_NANO)
    throw new MeterError('BAD_INPUT', expected('usd', '0, or at least a billionth of a dollar', usd))
  checkWindow(per)
  if (!LIMIT_MODES.includes(mode)) throw new MeterError('BAD_INPUT', expected('mode', oneOf(LIMIT_MODES), mode))
  const settings = { ...settingsOf(per, limit), ...(tenants && { tenants }) }
  return { scope, per, limitNanoUsd: dollars / PICO_PER_NANO, mode, settings }
}

const ANCHORS: Readonly<Record<LimitWindow, readonly [least: number, most: number] | undefined>> = {
  hour: undefined,
  day: [0, 23],
  week: [1, 7],
  month: [1, 31],
  total: undefined,
}

function settingsOf(per: LimitWindow, { timeZone, anchor, rolling, mode, minOutputTokens }: Limit): LimitSettings {
  if (rolling !== undefined && typeof rolling !== 'boolean')
    throw new MeterError('BAD_INPUT', expected('rolling', 'true or false', rolling))
  if (rolling && (per === 'total' || timeZone !== undefined || anchor !== undefined))
    throw new MeterError(
      'BAD_INPUT',
      'A rolling limit has no `timeZone` and no `anchor`, and is per hour, day, week or month.',
    )
  if (timeZone !== undefined && typeof timeZone !== 'string')
    throw new MeterError('BAD_INPUT', expected('timeZone', 'the name of a time zone', timeZone))
  const range = ANCHORS[per]
  if (anchor !== undefined && !range)
    throw new MeterError('BAD_INPUT', `A limit per ${per === 'total' ? 'total' : 'hour'} has no \`anchor\`.`)
  if (anchor !== undefined && !isWhole(anchor, ...range!))
    throw new MeterError('BAD_INPUT', expected('anchor', `a whole number from ${range![0]} to ${range![1]}`, anchor))
  if (minOutputTokens !== undefined && mode !== 'clamp')
    throw new MeterError('BAD_INPUT', "`minOutputTokens` is for a limit of mode 'clamp' only.")
  if (minOutputTokens !== undefined && !isWhole(minOutputTokens, 1, 2 ** 31 - 1))
    throw new MeterError('BAD_INPUT', expected('minOutputTokens', 'a whole number of tokens above 0', minOutputTokens))
  const settings: LimitSettings = {
    ...(timeZone !== undefined && timeZone !== 'UTC' && { timeZone }),
    ...(anchor !== undefined && { anchor }),
    ...(rolling && { rolling }),
    ...(minOutputTokens !== undefined && { minOutputTokens }),
  }
  // Throws for a zone that there is none of.
  calendarOf(per, settings).at(0)
  return settings
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => `'${name}'`).join(', ')}`
}

export function checkWindow(window: unknown): void {
  if (!LIMIT_WINDOWS.includes(window as LimitWindow))
    throw new MeterError('BAD_INPUT', expected('per', oneOf(LIMIT_WINDOWS), window))
}

export function stateOf(
  { scope, per, mode }: LimitRule,
  comesBackAt: number | undefined,
  { limit, spent, held }: { readonly limit: PicoUsd; readonly spent: PicoUsd; readonly held: PicoUsd },
): LimitState {
  const left = limit - spent - held
  return {
    of: targetOf(scope),
    window: per,
    mode,
    limitUsd: formatUsd(limit),
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
    remainingUsd: formatUsd(left > 0n ? left : 0n),
    resetsAt: comesBackAt === undefined ? undefined : new Date(comesBackAt),
  }
}
