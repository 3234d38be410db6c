// The refusals of a limiter, with what an upgrade prompt needs to know.

import { LimitExceededError } from '../errors.ts'
import { formatUsd } from '../money.ts'
import { type Estimate, isHard } from './estimate.ts'
import { type Pocket, standingOf } from './pocket.ts'
import { type Belonging, kindOf } from './scope.ts'

/** The call that asks. */
export interface Asked {
  readonly call: Belonging
  /** What refusals that should not have been are counted by. */
  readonly refused?: (isFalse: boolean) => void
}

export function refusal(pocket: Pocket, estimate: Estimate, { call, refused }: Asked): LimitExceededError {
  const { limit, spent, held } = standingOf(pocket)
  const { mode } = pocket.live.rule
  const left = limit - spent - held
  // The money for what such calls come to was there: only what one could come to was not.
  refused?.(left >= estimate.expected && estimate.expected > 0n)
  const hasRoom = estimate.hasNoCap === true && isHard(mode) && left > (estimate.ceilingAt?.(1) ?? 0n)
  return new LimitExceededError({ ...figuresOf(pocket, call), ...(hasRoom && { wouldPassWithCap: true }) })
}

export function storeIsDown(pocket: Pocket, { call }: Asked): LimitExceededError {
  return new LimitExceededError({ ...figuresOf(pocket, call), code: 'LIMIT_STORE_DOWN' })
}

/** Nobody has said yet which limits there are. */
export function limitsAreUnknown({ tenantId }: Belonging): LimitExceededError {
  return new LimitExceededError({ code: 'LIMIT_STORE_DOWN', tenantId })
}

/** What a refusal says of the limit that refuses. */
export function figuresOf(pocket: Pocket, { tenantId }: Belonging) {
  const { live, comesBackAt } = pocket
  const { scope, per, mode } = live.rule
  const { limit, spent, held } = standingOf(pocket)
  return {
    tenantId,
    limitUsd: formatUsd(limit),
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
    window: per,
    scope: kindOf(scope),
    limitOf: scope,
    mode,
    resetsAt: comesBackAt === undefined ? undefined : new Date(comesBackAt),
  }
}
