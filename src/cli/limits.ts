// Where the limits that a ledger keeps stand at this moment.

import { formatMoney, usdColumn } from '../figures.ts'
import { windowEnd, windowStart } from '../limits/window.ts'
import type { PicoUsd } from '../money.ts'
import type { Ledger, StoredLimit } from '../sinks/ledger.ts'
import { formatDuration } from './period.ts'
import { type Column, layOut } from './table.ts'
import type { Style, Terminal } from './terminal.ts'

export interface LimitStanding extends StoredLimit {
  readonly spent: PicoUsd
  /** Never below 0. */
  readonly remaining: PicoUsd
  /** Epoch milliseconds; `undefined` for `total`. */
  readonly resetsAt: number | undefined
}

/** Those of one tenant where one is named; what is nearest to its end first. */
export async function limitsNow(
  ledger: Pick<Ledger, 'limits' | 'spent'>,
  tenantId: string | undefined,
  now: number,
): Promise<LimitStanding[]> {
  const limits = (await ledger.limits()).filter((limit) => tenantId === undefined || limit.tenantId === tenantId)
  const standings: LimitStanding[] = []
  for (const limit of limits) {
    const spent = await ledger.spent(limit.tenantId, windowStart(limit.window, now))
    const left = limit.limit - spent
    standings.push({ ...limit, spent, remaining: left > 0n ? left : 0n, resetsAt: windowEnd(limit.window, now) })
  }
  return standings.sort((a, b) => shareOf(b) - shareOf(a))
}

function shareOf({ spent, limit }: LimitStanding): number {
  return limit === 0n ? Number.POSITIVE_INFINITY : Number(spent) / Number(limit)
}

const NEARLY_SPENT = 0.8

const COLUMNS: readonly Column[] = [
  { title: 'limit of', least: 8 },
  { title: 'per', align: 'left' },
  { title: 'limit' },
  { title: 'spent' },
  { title: 'remaining' },
  { title: 'resets in', dispensable: 1 },
]

export function printLimits(standings: readonly LimitStanding[], top: number, now: number, terminal: Terminal): void {
  const { print, paint, width } = terminal
  const shown = standings.slice(0, top)
  const spent = usdColumn(shown.map((standing) => standing.spent))
  const remaining = usdColumn(shown.map((standing) => standing.remaining))
  const cells = shown.map((standing) => {
    const { tenantId, window, mode, limit, resetsAt } = standing
    const style = styleOf(standing)
    return [
      tenantId,
      mode === 'expected' ? window : `${window}, ${mode}`,
      formatMoney(limit),
      spent(standing.spent),
      { text: remaining(standing.remaining), ...(style && { paint: (text: string) => paint(style, text) }) },
      resetsAt === undefined ? 'never' : formatDuration(resetsAt - now),
    ]
  })
  const table = layOut(COLUMNS, cells, width)
  print(paint('dim', table.header))
  for (const line of table.lines) print(line)
  if (standings.length > top) print(paint('dim', `${standings.length - top} more: see --json.`))
}

function styleOf(standing: LimitStanding): Style | undefined {
  const share = shareOf(standing)
  return share >= 1 ? 'red' : share >= NEARLY_SPENT ? 'yellow' : undefined
}
