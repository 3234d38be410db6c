// Which events to look at when there are too many to look at all: spread evenly over the calls of a range.

import type { RollUp } from '../sinks/roll-ups.ts'
import { ROLL_UPS } from '../sinks/roll-ups.ts'
import type { Dialect, Row } from './dialect.ts'
import { IS_USED } from './parts.ts'
import type { Query } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

/** A moment is found in an index, one by one: all of so many times more are read as soon. */
const AS_SOON = 5

export interface Strata {
  readonly span: number
  readonly statement: Statement
}

/**
 * How many events each hour of a query has, or each day of a tenant's; nothing where no roll-up tells, or where the events
 * could only be found one by one: indexes are by time, and by tenant and time.
 */
export function strataStatement(dialect: Dialect, { since, until, where = {} }: Query): Strata | undefined {
  const names = Object.entries(where).flatMap(([name, given]) => (given === undefined ? [] : [name]))
  const isOneTenant = names.length === 1 && names[0] === 'tenant' && [where.tenant].flat().length === 1
  const rollUp = isOneTenant ? rollUpOf('tenant') : names.length === 0 ? rollUpOf('model') : undefined
  if (rollUp === undefined) return undefined
  const { span, table } = rollUp
  const { conditions, values } = createDraft(dialect)
  const touched = { since: since && Math.floor(since / span) * span, until, where }
  const isKept = `at >= coalesce((SELECT max(before) FROM ${dialect.table('pruned')}), at)`
  const count = dialect.whole('sum(events)')
  const sql = `SELECT ${dialect.whole('at')} AS at, ${count} AS events FROM ${dialect.table(table)}${conditions(touched, IS_USED, isKept)} GROUP BY at`
  return { span, statement: { sql, values } }
}

function rollUpOf(dimension: RollUp['dimensions'][number]): RollUp | undefined {
  return ROLL_UPS.find(({ dimensions }) => dimensions.includes(dimension))
}

/**
 * Moments, each standing for the first event from it on: more of them where there was more to do. Nothing where all events
 * can be read.
 */
export function momentsOf(
  rows: readonly Row[],
  span: number,
  sample: number,
  { since = -Infinity, until = Infinity }: Query,
): number[] {
  const strata = rows.map((row) => ({ at: Number(row['at']), events: Number(row['events']) }))
  const total = strata.reduce((sum, { events }) => sum + events, 0)
  if (total <= sample * AS_SOON) return []
  return strata.flatMap(({ at, events }) => {
    const count = Math.max(1, Math.round((events * sample) / total))
    const every = Array.from({ length: count }, (_, i) => Math.floor(at + ((i + 0.5) * span) / count))
    return every.filter((moment) => moment >= since && moment < until)
  })
}
