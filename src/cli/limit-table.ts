// Limits as a table, and as JSON with every digit.

import { formatMoney, usdColumn } from '../figures.ts'
import { toWireSettings } from '../limits/http-wire.ts'
import type { LimitRule } from '../limits/limit-store.ts'
import { targetOf } from '../limits/scope.ts'
import { formatUsd } from '../money.ts'
import { type Standing, shareOf } from './limit-standings.ts'
import { scopeInWords } from './limit-target.ts'
import { formatDuration } from './period.ts'
import { type Column, layOut } from './table.ts'
import type { Terminal } from './terminal.ts'

const COLUMNS: readonly Column[] = [
  { title: 'limit of', least: 8 },
  { title: 'per', align: 'left' },
  { title: 'limit' },
  { title: 'spent' },
  { title: 'held', dispensable: 2 },
  { title: 'remaining' },
  { title: 'resets in', dispensable: 1 },
]
const NEARLY_SPENT = 0.8

export function printStandings(standings: readonly Standing[], now: number, { print, paint, width }: Terminal): void {
  const columnOf = (field: 'spent' | 'held' | 'remaining') => usdColumn(standings.map((standing) => standing[field]))
  const [spent, held, remaining] = [columnOf('spent'), columnOf('held'), columnOf('remaining')]
  const cells = standings.map((standing) => {
    const share = shareOf(standing)
    const style = share >= 1 ? 'red' : share >= NEARLY_SPENT ? 'yellow' : undefined
    return [
      scopeInWords(standing.rule.scope),
      windowInWords(standing.rule),
      formatMoney(standing.limit),
      spent(standing.spent),
      held(standing.held),
      { text: remaining(standing.remaining), ...(style && { paint: (text: string) => paint(style, text) }) },
      resetsIn(standing, now),
    ]
  })
  const table = layOut(COLUMNS, cells, width)
  print(paint('dim', table.header))
  for (const line of table.lines) print(line)
  if (table.leftOut.length > 0) print(paint('dim', `No room for ${table.leftOut.join(' and ')}: see --json.`))
}

/** Of a rolling limit of which nothing is spent there is nothing to come back. */
function resetsIn({ rule, resetsAt }: Standing, now: number): string {
  if (resetsAt !== undefined) return formatDuration(resetsAt - now)
  return rule.settings.rolling ? '' : 'never'
}

/** `month`, `day, hard, Europe/Vienna`, `hour, rolling`. */
export function windowInWords({ per, mode, settings }: LimitRule): string {
  const { timeZone, anchor, rolling } = settings
  return [
    per,
    ...(mode === 'expected' ? [] : [mode]),
    ...(rolling ? ['rolling'] : []),
    ...(timeZone === undefined ? [] : [timeZone]),
    ...(anchor === undefined ? [] : [`from ${anchor}`]),
  ].join(', ')
}

export function standingRecord({ rule, limit, spent, held, remaining, resetsAt }: Standing): Record<string, unknown> {
  const { scope, per, mode, settings } = rule
  return {
    of: targetOf(scope),
    scope,
    window: per,
    mode,
    limit_usd: formatUsd(limit),
    spent_usd: formatUsd(spent),
    held_usd: formatUsd(held),
    remaining_usd: formatUsd(remaining),
    resets_at: resetsAt === undefined ? null : new Date(resetsAt).toISOString(),
    ...(Object.keys(settings).length > 0 && { settings: toWireSettings(settings) }),
  }
}
