// The questions to a limit store and its answers as they travel: docs/wire.md. Both ends speak through this.

import { LIMIT_MODES, type LimitMode, type LimitWindow } from '../errors.ts'
import type {
  Account,
  AccountKey,
  LeaseAnswer,
  LeaseStep,
  LimitChanges,
  LimitKey,
  LimitRule,
  LimitSettings,
} from './limit-store.ts'
import { LIMIT_WINDOWS } from './window.ts'

export const LEASES_VERSION = 1
/** Steps, or keys, of one question. */
export const MOST_AT_ONCE = 1000
/** A sum, in nano-dollars. */
export const MOST_NANO = 2n ** 63n - 1n

/** Nano-dollars as decimal digits: JSON would round them. */
type Nano = string

export interface WireSettings {
  readonly time_zone?: string
  readonly anchor?: number
  readonly rolling?: true
  readonly min_output_tokens?: number
  readonly tenants?: readonly string[]
}

export interface WireRule extends LimitKey {
  readonly limit: Nano
  readonly mode: LimitMode
  readonly settings?: WireSettings | undefined
}

export interface WireAccountKey extends LimitKey {
  readonly window_id: string
  readonly earlier?: readonly string[] | undefined
}

/** What is left out is 0, or `false`. */
export interface WireStep extends WireAccountKey {
  readonly lease_id: string
  readonly seq: number
  readonly need?: Nano | undefined
  readonly least?: Nano | undefined
  readonly want?: Nano | undefined
  readonly granted?: Nano | undefined
  readonly spent?: Nano | undefined
  readonly returned?: Nano | undefined
  readonly final?: boolean | undefined
  readonly ttl_ms: number
  readonly opening?: Nano | undefined
  readonly ends_at_ms?: number | undefined
  readonly warned?: number | undefined
  readonly if_known?: true | undefined
}

export type Question =
  | { readonly op: 'changes'; readonly since: number }
  | { readonly op: 'set'; readonly rule: WireRule }
  | { readonly op: 'remove'; readonly key: LimitKey }
  | { readonly op: 'accounts'; readonly keys: readonly WireAccountKey[] }
  | { readonly op: 'lease'; readonly steps: readonly WireStep[] }

export function toWireSettings({ timeZone, minOutputTokens, ...same }: LimitSettings): WireSettings {
  return {
    ...(timeZone !== undefined && { time_zone: timeZone }),
    ...(minOutputTokens !== undefined && { min_output_tokens: minOutputTokens }),
    ...same,
  }
}

export function fromWireSettings(settings: WireSettings): LimitSettings {
  const { time_zone, min_output_tokens, anchor, rolling, tenants } = settings
  return {
    ...(time_zone !== undefined && { timeZone: time_zone }),
    ...(anchor !== undefined && { anchor }),
    ...(rolling && { rolling }),
    ...(min_output_tokens !== undefined && { minOutputTokens: min_output_tokens }),
    ...(tenants !== undefined && { tenants }),
  }
}

export function toWireRule({ scope, per, limitNanoUsd, mode, settings }: LimitRule): WireRule {
  const said = Object.keys(settings).length > 0 && { settings: toWireSettings(settings) }
  return { scope, per, limit: String(limitNanoUsd), mode, ...said }
}

/** Of one that has been looked at: sums are digits. */
export function fromWireRule({ scope, per, limit, mode, settings = {} }: WireRule): LimitRule {
  return { scope, per, limitNanoUsd: BigInt(limit), mode, settings: fromWireSettings(settings) }
}

export function toWireKey({ scope, per, windowId, earlier }: AccountKey): WireAccountKey {
  return { scope, per, window_id: windowId, ...(earlier.length > 0 && { earlier }) }
}

export function fromWireKey({ scope, per, window_id, earlier = [] }: WireAccountKey): AccountKey {
  return { scope, per, windowId: window_id, earlier }
}

export function toWireStep(step: LeaseStep): WireStep {
  const { need, least, want, granted, spent, returned, final, opening, endsAt, warned } = step
  return {
    ...toWireKey(step),
    lease_id: step.leaseId,
    seq: step.seq,
    ...(need > 0n && { need: String(need), least: String(least), want: String(want) }),
    ...(granted > 0n && { granted: String(granted) }),
    ...(spent > 0n && { spent: String(spent) }),
    ...(returned > 0n && { returned: String(returned) }),
    ...(final && { final }),
    ttl_ms: step.ttlMs,
    ...(opening > 0n && { opening: String(opening) }),
    ...(endsAt !== undefined && { ends_at_ms: endsAt }),
    ...(warned > 0 && { warned }),
    ...(step.ifKnown && { if_known: step.ifKnown }),
  }
}

export function fromWireStep(step: WireStep): LeaseStep {
  const { need = '0', least = need, want = need, granted = '0', spent = '0', returned = '0', opening = '0' } = step
  return {
    ...fromWireKey(step),
    leaseId: step.lease_id,
    seq: step.seq,
    need: BigInt(need),
    least: BigInt(least),
    want: BigInt(want),
    granted: BigInt(granted),
    spent: BigInt(spent),
    returned: BigInt(returned),
    final: step.final ?? false,
    ttlMs: step.ttl_ms,
    opening: BigInt(opening),
    endsAt: step.ends_at_ms,
    warned: step.warned ?? 0,
    ...(step.if_known && { ifKnown: step.if_known }),
  }
}

export function toWireChanges({ revision, rules, removed }: LimitChanges): object {
  return { revision, rules: rules.map(toWireRule), removed: removed.map(({ scope, per }) => ({ scope, per })) }
}

export function toWireAccount({ limitNanoUsd, committed, escrow, suspense, warned }: Account): object {
  return {
    limit: String(limitNanoUsd),
    committed: String(committed),
    escrow: String(escrow),
    suspense: String(suspense),
    warned,
  }
}

export function toWireAnswer({ granted, isOver, account }: LeaseAnswer): object {
  return { granted: String(granted), is_over: isOver, account: toWireAccount(account) }
}

/** The answers below throw for whatever is none: what stands behind an address is not known before it has answered. */
export function changesIn(body: unknown): LimitChanges {
  const { revision, rules, removed } = fieldsOf(body)
  return { revision: wholeIn(revision), rules: listIn(rules).map(ruleIn), removed: listIn(removed).map(keyIn) }
}

export function accountsIn(body: unknown, count: number): (Account | undefined)[] {
  return listIn(fieldsOf(body)['accounts'], count).map((account) => (account === null ? undefined : accountIn(account)))
}

export function answersIn(body: unknown, count: number): (LeaseAnswer | undefined)[] {
  return listIn(fieldsOf(body)['answers'], count).map((answer) => {
    if (answer === null) return undefined
    const { granted, is_over, account } = fieldsOf(answer)
    return { granted: nanoIn(granted), isOver: is_over === true, account: accountIn(account) }
  })
}

function ruleIn(value: unknown): LimitRule {
  const { limit, mode, settings } = fieldsOf(value)
  const known = LIMIT_MODES.includes(mode as LimitMode) ? (mode as LimitMode) : 'expected'
  return {
    ...keyIn(value),
    limitNanoUsd: nanoIn(limit),
    mode: known,
    settings: settings === undefined ? {} : fromWireSettings(fieldsOf(settings)),
  }
}

function keyIn(value: unknown): LimitKey {
  const { scope, per } = fieldsOf(value)
  if (typeof scope !== 'string' || !LIMIT_WINDOWS.includes(per as LimitWindow)) throw new TypeError('key')
  return { scope, per: per as LimitWindow }
}

function accountIn(value: unknown): Account {
  const { limit, committed, escrow, suspense, warned } = fieldsOf(value)
  return {
    limitNanoUsd: nanoIn(limit),
    committed: nanoIn(committed),
    escrow: nanoIn(escrow),
    suspense: nanoIn(suspense),
    warned: wholeIn(warned),
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('object')
  return value as Record<string, unknown>
}

function listIn(value: unknown, count?: number): unknown[] {
  if (!Array.isArray(value) || (count !== undefined && value.length !== count)) throw new TypeError('list')
  return value
}

function nanoIn(value: unknown): bigint {
  if (typeof value !== 'string' || !/^\d{1,30}$/.test(value)) throw new TypeError('sum')
  return BigInt(value)
}

function wholeIn(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError('number')
  return value as number
}
