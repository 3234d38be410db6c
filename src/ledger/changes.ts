// What a person may take out of a ledger: one tenant, or what is too old. In pieces, so that nobody who writes waits long.

import { expected, MeterError } from '../errors.ts'
import { IS_USED } from './parts.ts'
import type { Source } from './source.ts'
import { createDraft } from './statement.ts'

export interface DeleteOptions {
  /** Is told after each piece how many events are gone. */
  readonly onProgress?: ((deleted: number) => void) | undefined
}

const PIECE = 2000
const DAY = 86_400_000

/**
 * Deletes the events of a tenant, what is known of their prices, the tenant's stored limits, what these have refused and
 * its roll-up. Gives how many events there were. Broken off, it can be started again.
 */
export async function deleteTenant(source: Source, id: string, { onProgress }: DeleteOptions): Promise<number> {
  if (typeof id !== 'string' || id === '') throw new MeterError('BAD_INPUT', expected('id', 'the id of a tenant', id))
  const whose = { where: { tenant: id } }
  await forgetPrices(source, whose)
  const deleted = await inPieces(source, whose, onProgress)
  for (const [table, more] of [
    ['limits', []],
    ['refusals', []],
    // Days without events are left by the triggers, and so are those whose events were deleted for their age.
    ['usage_tenants', [`(NOT ${IS_USED} OR at < (SELECT max(before) FROM ${source.dialect.table('pruned')}))`]],
  ] as const) {
    const { conditions, values } = createDraft(source.dialect)
    await source.change({ sql: `DELETE FROM ${source.dialect.table(table)}${conditions(whose, ...more)}`, values })
  }
  return deleted
}

/** Deletes the events of the days in UTC before the one that holds `before`. What they sum up to stays in the roll-ups. */
export async function keep(source: Source, before: number, { onProgress }: DeleteOptions): Promise<number> {
  if (!Number.isSafeInteger(before))
    throw new MeterError('BAD_INPUT', expected('before', 'a moment in epoch milliseconds', before))
  const day = Math.floor(before / DAY) * DAY
  const { dialect } = source
  // First: from now on, what goes does not go from the roll-ups.
  const { bind, values } = createDraft(dialect)
  const [moment, pruned] = [bind(BigInt(day)), dialect.table('pruned')]
  const sql = `INSERT INTO ${pruned} (before) SELECT ${dialect.integer(moment)} WHERE NOT EXISTS (SELECT 1 FROM ${pruned} WHERE before >= ${moment})`
  await source.change({ sql, values })
  await forgetPrices(source, { until: day })
  await forgetReports(source, { until: day })
  return inPieces(source, { until: day }, onProgress)
}

type Which = { readonly where: { readonly tenant: string } } | { readonly until: number }

async function forgetPrices({ dialect, change }: Source, which: Which): Promise<void> {
  const { conditions, values } = createDraft(dialect)
  const events = `SELECT 1 FROM ${dialect.events}${conditions(which, 'events.event_id = repricings.event_id')}`
  await change({ sql: `DELETE FROM ${dialect.table('repricings')} WHERE EXISTS (${events})`, values })
}

async function forgetReports({ dialect, change }: Source, which: { readonly until: number }): Promise<void> {
  for (const table of ['meters', 'refusals']) {
    const { conditions, values } = createDraft(dialect)
    await change({ sql: `DELETE FROM ${dialect.table(table)}${conditions(which)}`, values })
  }
}

async function inPieces({ dialect, change }: Source, which: Which, onProgress?: (deleted: number) => void) {
  const { bind, conditions, values } = createDraft(dialect)
  const id = dialect.eventKey
  const piece = `SELECT ${id} FROM ${dialect.events}${conditions(which)} LIMIT ${bind(BigInt(PIECE))}`
  const sql = `DELETE FROM ${dialect.events} WHERE (${id}) IN (${piece}) RETURNING 1 AS gone`
  let deleted = 0
  for (;;) {
    const gone = (await change({ sql, values })).length
    deleted += gone
    if (gone > 0) onProgress?.(deleted)
    if (gone < PIECE) return deleted
    // Others write meanwhile, and the process has other things to do.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
