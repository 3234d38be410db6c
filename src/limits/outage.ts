// What happens to calls while the limit store does not answer.

import type { LimitMode } from '../errors.ts'
import type { PicoUsd } from '../money.ts'
import { isHard } from './estimate.ts'
import type { Pocket } from './pocket.ts'
import type { Teller } from './teller.ts'

/**
 * `'lease-then-deny'`, the default of hard limits: calls go on with the money that this process holds already, and are
 * refused after that. `'lease-then-allow'`, the default of all others: they go on without. `{ overdraftUsd }`: they go on
 * for so many dollars more in this process. `'deny'`, `'allow'`: all of them, from the moment that it is known.
 */
export type StoreDownPolicy =
  | 'lease-then-deny'
  | 'lease-then-allow'
  | 'deny'
  | 'allow'
  | { readonly overdraftUsd: number | string }

export interface Outage {
  /** Whether calls are refused although there may be money in the pocket. */
  refuses(pocket: Pocket): boolean
  /** Whether a call may go on without money; what is missing counts against the overdraft. */
  lends(pocket: Pocket, missing: PicoUsd): boolean
  /** The same for a call of which it is not known what limits it counts in. */
  readonly lendsBlindly: boolean
  /** Such a call has cost so much. */
  spentBlindly(cost: PicoUsd): void
  /** The store answers again: what was lent is told to it. */
  ended(): void
}

export function createOutage(
  teller: () => Pick<Teller, 'isDown'>,
  policy: Exclude<StoreDownPolicy, object> | { readonly overdraft: PicoUsd } | undefined,
): Outage {
  let lent = 0n
  const policyFor = (mode: LimitMode) => policy ?? (isHard(mode) ? 'lease-then-deny' : 'lease-then-allow')
  return {
    refuses: ({ live }) => teller().isDown && policyFor(live.rule.mode) === 'deny',
    lends({ live }, missing) {
      const { mode } = live.rule
      const one = policyFor(mode)
      if (typeof one !== 'object') return one === 'lease-then-allow' || one === 'allow'
      if (lent + missing > one.overdraft) return false
      lent += missing > 0n ? missing : 0n
      return true
    },
    get lendsBlindly() {
      return typeof policy === 'object' ? lent < policy.overdraft : policy !== 'deny' && policy !== 'lease-then-deny'
    },
    spentBlindly(cost) {
      lent += cost
    },
    ended() {
      lent = 0n
    },
  }
}
