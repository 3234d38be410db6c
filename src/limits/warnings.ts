// Warns when so many per cent of a limit are spent: once for each threshold and window, whichever process gets there.

import type { LimitWindow } from '../errors.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import type { LeaseAnswer } from './limit-store.ts'
import { NEVER, type Pocket, standingOf } from './pocket.ts'
import { type LimitTarget, targetOf, tenantIn } from './scope.ts'

/** What `onLimitWarning` is told. */
export interface LimitWarning {
  /** What the limit is for, as `setLimit` takes it. */
  readonly of: LimitTarget
  /** The tenant, where it is a limit of one, or of something of one. */
  readonly tenantId: string | undefined
  /** The threshold that was reached, in per cent. */
  readonly percent: number
  /** Exact decimal dollars. */
  readonly spentUsd: string
  readonly limitUsd: string
  readonly window: LimitWindow
  /** The end of the window; `undefined` for `total`, and mostly for a rolling one, of which `limits()` tells more. */
  readonly resetsAt: Date | undefined
}

export interface Warnings {
  /** When the next one is due, after the store has answered. */
  schedule(pocket: Pocket): void
  /** The due time has come: the store is to be told, and says who warns. */
  reach(pocket: Pocket): void
  /** The answer to a step that told of a threshold. */
  answered(pocket: Pocket, told: number, answer: LeaseAnswer): void
}

export function createWarnings(
  percents: readonly number[],
  warn: ((warning: LimitWarning) => void) | undefined,
): Warnings {
  const thresholds = [...new Set(percents)].sort((a, b) => a - b)

  function reachedBy(spent: PicoUsd, limit: PicoUsd): number {
    let reached = 0
    for (const percent of thresholds) if (spent > 0n && spent * 100n >= limit * BigInt(percent)) reached = percent
    return reached
  }

  return {
    schedule(pocket) {
      if (!warn) return
      const { limit, spent } = standingOf(pocket)
      const next = thresholds.find((percent) => percent > pocket.warned)
      // Of what others have spent, this process learns by the store's answers.
      pocket.warnAt = next === undefined ? NEVER : pocket.spent + (limit * BigInt(next) + 99n) / 100n - spent
    },
    reach(pocket) {
      const { limit, spent } = standingOf(pocket)
      const reached = reachedBy(spent, limit)
      if (reached > pocket.warned) pocket.warned = reached
      this.schedule(pocket)
    },
    answered(pocket, told, { account }) {
      if (!warn) return
      const { rule } = pocket.live
      const { limit, spent } = standingOf(pocket)
      for (const percent of thresholds)
        if (percent > account.warned && percent <= told)
          warn({
            of: targetOf(rule.scope),
            tenantId: tenantIn(rule.scope),
            percent,
            spentUsd: formatUsd(spent),
            limitUsd: formatUsd(limit),
            window: rule.per,
            resetsAt: pocket.comesBackAt === undefined ? undefined : new Date(pocket.comesBackAt),
          })
      if (account.warned > pocket.warned) pocket.warned = pocket.toldWarned = account.warned
    },
  }
}
