// `tallygate limits refused`: whom limits have refused, by the hour.

import { formatCount } from '../figures.ts'
import type { RefusalsRow } from '../ledger/meters.ts'
import { type LedgerValues, openToAsk } from './ledgers.ts'
import { type Around, tellJson } from './limit-change.ts'
import { scopeInWords } from './limit-target.ts'
import { formatMoment } from './period.ts'
import { inWords, periodOf } from './query.ts'
import { type Column, layOut } from './table.ts'
import { printable } from './width.ts'

const COLUMNS: readonly Column[] = [
  { title: 'tenant', least: 8 },
  { title: 'limit of', least: 8, align: 'left' },
  { title: 'per', align: 'left' },
  { title: 'hour (UTC)', align: 'left', dispensable: 1 },
  { title: 'refused' },
]
const WITHOUT_LIMIT: Readonly<Record<string, string>> = {
  LIMIT_STORE_DOWN: 'the store did not answer',
  UNKNOWN_PRICE: 'no known price',
  MISSING_TENANT: 'no tenant',
  OTHERS: 'further limits',
}
const USUAL_SINCE = '7d'
const MOST_ROWS = 200
const MOST_IN_JSON = 10_000

export interface RefusedValues extends LedgerValues {
  readonly tenant?: string | undefined
  readonly since?: string | undefined
  readonly json?: boolean | undefined
}

export async function listRefused(values: RefusedValues, { terminal, env }: Around): Promise<undefined> {
  const period = periodOf({ since: values.since ?? USUAL_SINCE, tenant: values.tenant }, Date.now())
  const { ledger, views, name, shown } = await openToAsk(values, env)
  try {
    const { since, tenantId } = period
    const where = tenantId === undefined ? {} : { tenant: tenantId }
    const limit = values.json ? MOST_IN_JSON : MOST_ROWS + 1
    const rows = await views.refusals({ since, where, every: 'hour', limit })
    const { print, paint, width } = terminal
    if (values.json) tellJson(terminal, { ledger: name, refusals: rows.map(recordOf) })
    else if (rows.length === 0) print(printable(`${shown} knows of no refused call (${inWords(period)}).`))
    else {
      const table = layOut(COLUMNS, rows.slice(0, MOST_ROWS).map(cellsOf), width)
      print(paint('dim', table.header))
      for (const line of table.lines) print(line)
      if (rows.length > MOST_ROWS) print(paint('dim', `Earlier ones: see --json.`))
    }
  } finally {
    await views.close()
    await ledger.close()
  }
  return undefined
}

function cellsOf({ at, tenant, scope, window, code, calls }: RefusalsRow): string[] {
  const why = WITHOUT_LIMIT[code]
  // A scope that is too long to be kept is its kind alone.
  const limit = scope === null || (scope !== '*' && !scope.includes('=')) ? scope : scopeInWords(scope)
  const named = limit === null ? (why ?? code) : why === undefined ? limit : `${limit}: ${why}`
  return [tenant ?? '(none)', named, window ?? '–', formatMoment(at), formatCount(calls)]
}

function recordOf({ at, ...rest }: RefusalsRow): Record<string, unknown> {
  return { at: new Date(at).toISOString(), ...rest }
}
