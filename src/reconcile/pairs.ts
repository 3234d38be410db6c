// Gaps that cancel each other: the same calls, counted as another model, at another tier, or in the bucket beside.

import type { Cause } from './causes.ts'
import { type Finding, type Gap, isEmpty, isOpposite, take } from './gaps.ts'

/** Takes what was logged in one cell and billed in another out of both. */
export function pairs(gaps: ReadonlyMap<string, Gap>, stepMs: number): Finding[] {
  const findings: Finding[] = []
  const byMoment = new Map<number, Gap[]>()
  for (const gap of gaps.values()) {
    if (gap.quantities.size === 0) continue
    const at = byMoment.get(gap.at)
    if (at === undefined) byMoment.set(gap.at, [gap])
    else at.push(gap)
  }
  for (const [at, all] of [...byMoment].sort(([a], [b]) => a - b)) {
    const beside = [...(byMoment.get(at - stepMs) ?? []), ...(byMoment.get(at + stepMs) ?? [])]
    for (const cause of ['batch-or-tier', 'model-swap', 'timing'] as const)
      for (const short of all) {
        if (isEmpty(short) || !isShort(short)) continue
        const candidates = cause === 'timing' ? beside : all
        const long = candidates.find((other) => isPair(cause, short, other) && isOpposite(short, other))
        if (long !== undefined) findings.push(...settle(cause, short, long))
      }
  }
  return findings
}

/** Logged and not billed: no figure of it is above what was logged. */
function isShort({ quantities }: Gap): boolean {
  return [...quantities.values()].every((quantity) => quantity < 0)
}

function isPair(cause: Cause, a: Gap, b: Gap): boolean {
  if (a === b || a.scope !== b.scope) return false
  if (cause === 'model-swap') return a.model !== b.model && a.at === b.at
  if (a.model !== b.model) return false
  return cause === 'timing' ? a.tier === b.tier : a.tier !== b.tier
}

function settle(cause: Cause, short: Gap, long: Gap): Finding[] {
  const what = (gap: Gap) => (cause === 'model-swap' ? gap.model : gap.tier)
  const note = cause === 'timing' ? undefined : `logged as ${what(short)}, billed as ${what(long)}`
  const { at, scope, model, tier } = short
  const count = (gap: Gap) => (gap.requests === undefined ? {} : { requests: gap.requests })
  const more = note === undefined ? {} : { note }
  return [
    take(long, cause, long.quantities, { toward: { at, scope, model, tier }, ...more, ...count(long) }),
    take(short, cause, short.quantities, { ...more, ...count(short) }),
  ]
}
