// What the stores on other machines answer, in text: their integers are larger than a number of JSON holds exactly.

import type { LimitMode, LimitWindow } from '../errors.ts'
import type { Account, LeaseAnswer, LimitChanges, LimitSettings } from './limit-store.ts'

/** Nano-dollars. */
export interface StoredFigures {
  readonly limit: string
  readonly committed: string
  readonly escrow: string
  readonly suspense: string
  readonly warned: number | string
}

export interface StoredRule {
  readonly scope: string
  readonly per: LimitWindow
  /** Nano-dollars. */
  readonly limit: string
  readonly mode: LimitMode
  /** JSON. */
  readonly settings: string
  readonly removed?: boolean | undefined
}

export interface StoredLease extends StoredFigures {
  readonly granted: string
  readonly isOver: boolean
}

export function accountOf({ limit, committed, escrow, suspense, warned }: StoredFigures): Account {
  return {
    limitNanoUsd: BigInt(limit),
    committed: BigInt(committed),
    escrow: BigInt(escrow),
    suspense: BigInt(suspense),
    warned: Number(warned),
  }
}

export function leaseOf(one: StoredLease): LeaseAnswer {
  return { granted: BigInt(one.granted), isOver: one.isOver, account: accountOf(one) }
}

export function changesOf(revision: number, rules: readonly StoredRule[]): LimitChanges {
  return {
    revision,
    rules: rules
      .filter(({ removed }) => !removed)
      .map(({ scope, per, limit, mode, settings }) => ({
        scope,
        per,
        mode,
        limitNanoUsd: BigInt(limit),
        settings: JSON.parse(settings) as LimitSettings,
      })),
    removed: rules.filter(({ removed }) => removed).map(({ scope, per }) => ({ scope, per })),
  }
}
