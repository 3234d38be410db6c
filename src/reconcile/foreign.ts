// Whose traffic is in the bill and not in the ledger: ids that nobody knows, or whose rows are just what is too much.

import type { Quantities } from './cells.ts'
import { covers, type Finding, type Gap, take } from './gaps.ts'

/** So much of its traffic has to be just what is too much, before an id that nobody named is called foreign. */
const MOST = 0.8

/** Takes the rows of foreign ids out of the gaps. `known`: ids of ours; empty where nobody said. */
export function foreignKeys(gaps: ReadonlyMap<string, Gap>, known: ReadonlySet<string>): Finding[] {
  const scopes = new Map<string, { gap: Gap; requests: number | undefined; quantities: Quantities }[]>()
  for (const gap of gaps.values())
    for (const [scope, { requests, quantities }] of gap.billed?.byScope ?? []) {
      if (scope === '') continue
      let rows = scopes.get(scope)
      if (rows === undefined) scopes.set(scope, (rows = []))
      rows.push({ gap, requests, quantities })
    }
  const findings: Finding[] = []
  for (const [scope, rows] of [...scopes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isForeign = known.size > 0 ? !isKnown(scope, known) : scopes.size > 1 && isSurplus(rows)
    if (!isForeign) continue
    for (const { gap, requests, quantities } of rows)
      findings.push(take(gap, 'foreign-key', quantities, { who: scope, ...(requests !== undefined && { requests }) }))
  }
  return findings
}

/** `key=key_a project=proj_b`: any of them. */
function isKnown(scope: string, known: ReadonlySet<string>): boolean {
  return scope.split(' ').some((named) => known.has(named.slice(named.indexOf('=') + 1)))
}

type Rows = readonly { readonly gap: Gap; readonly requests: number | undefined; readonly quantities: Quantities }[]

/** In nearly all of its buckets the ledger lacks all that it has. */
function isSurplus(rows: Rows): boolean {
  const fitting = rows.filter(
    ({ gap, requests, quantities }) =>
      covers(gap.quantities, quantities) &&
      (requests === undefined || gap.requests === undefined ? !isDoubtful(gap) : gap.requests >= requests),
  )
  return fitting.length > 0 && fitting.length >= MOST * rows.length
}

/** Calls of ours may be what is too much, where the source counts no requests. */
function isDoubtful({ logged }: Gap): boolean {
  return logged !== undefined && logged.unreported.count + logged.unsettled.count > 0
}
