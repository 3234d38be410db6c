// The month that an event's id tells, and a partition for each.

import type { Postgres } from '../../postgres/client.ts'
import { inSchema, lockSql } from '../../postgres/migrate.ts'
import { UNTIMED } from './schema.ts'

/** A UUIDv7: 48 bits of milliseconds, and the version. */
const TIMED = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** What stands in `id_month`: `2026-11`, or `none`. A function of the id alone, never to be changed. */
export function monthOf(eventId: string): string {
  const match = TIMED.exec(eventId)
  if (!match) return UNTIMED
  return monthAt(Number.parseInt(match[1]! + match[2]!, 16))
}

let from = 0
let to = 0
let month = ''

/** The last one is kept: nearly all events are of the same. */
function monthAt(ms: number): string {
  if (ms >= from && ms < to) return month
  const date = new Date(ms)
  from = Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  to = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
  // Up to the year 10889, which 48 bits reach.
  month = `${String(date.getUTCFullYear()).padStart(4, '0')}-${String(date.getUTCMonth() + 1).padStart(2, '0')}`
  return month
}

function monthsFrom(now: number, by: number): string {
  const date = new Date(now)
  return monthAt(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + by))
}

/** A backlog may be old and a clock wrong; ids of any other month are strays, or somebody's mischief. */
const MONTHS_BACK = 24
const MONTHS_AHEAD = 1
/** A month that could not be made is tried again after so long; its events are in the default partition until then. */
const RETRY_MS = 10 * 60_000

export interface Months {
  /** Sees to partitions for these months and for the next. Never fails: what has none is in the default partition. */
  ensure(needed: ReadonlySet<string>): Promise<void>
  forget(): void
}

export function createMonths(db: Postgres, schema: string, now: () => number): Months {
  const known = new Set<string>()
  let quietUntil = 0

  return {
    async ensure(needed) {
      const at = now()
      if (at < quietUntil) return
      const [first, last] = [monthsFrom(at, -MONTHS_BACK), monthsFrom(at, MONTHS_AHEAD)]
      const wanted = [...needed, monthsFrom(at, 0), last].filter(
        (one) => one !== UNTIMED && !known.has(one) && one.length === last.length && one >= first && one <= last,
      )
      if (wanted.length === 0) return
      try {
        await makeMonths(db, [...new Set(wanted)].sort(), schema)
        for (const one of wanted) known.add(one)
      } catch {
        // A user who may not make tables, or a long report that reads the default partition.
        quietUntil = at + RETRY_MS
      }
    },
    forget() {
      known.clear()
      quietUntil = 0
    },
  }
}

/** This month and the next: for whoever sets the tables up for a user that may not. */
export async function makeNextMonths(db: Postgres, schema: string, now: number): Promise<void> {
  await makeMonths(db, [monthsFrom(now, 0), monthsFrom(now, MONTHS_AHEAD)], schema)
}

const PARTITION = 'events_'
const LOCK_MS = 2000
/** More would be moved under a lock that holds every writer up. */
const MOST_MOVED = 100_000

async function makeMonths(db: Postgres, months: readonly string[], schema: string): Promise<void> {
  const names = months.map((one) => `${PARTITION}${one.replace('-', '_')}`)
  const rows = await db.query(
    'SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relname = ANY ($2)',
    [schema, names],
  )
  const there = new Set(rows.map(({ relname }) => relname))
  for (const [i, one] of months.entries()) if (!there.has(names[i])) await db.query(monthSql(one, names[i]!, schema))
}

/**
 * Attached rather than made as a partition, which would lock every reader out. What the default partition holds of the
 * month goes over first: an attachment is refused while it does.
 */
function monthSql(one: string, name: string, schema: string): string {
  return inSchema(
    `DO $tallygate_month$
BEGIN
  PERFORM set_config('lock_timeout', '${LOCK_MS}', true);
  ${lockSql(schema)}
  IF to_regclass('"${schema}".${name}') IS NOT NULL THEN
    RETURN;
  END IF;
  LOCK TABLE tallygate.events_default IN ACCESS EXCLUSIVE MODE;
  IF (SELECT count(*) FROM (SELECT FROM tallygate.events_default WHERE id_month = '${one}' LIMIT ${MOST_MOVED + 1}) AS few)
    > ${MOST_MOVED} THEN
    RETURN;
  END IF;
  CREATE TABLE tallygate.${name} (LIKE tallygate.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
  WITH moved AS (DELETE FROM tallygate.events_default WHERE id_month = '${one}' RETURNING *)
  INSERT INTO tallygate.${name} SELECT * FROM moved;
  ALTER TABLE tallygate.events ATTACH PARTITION tallygate.${name} FOR VALUES IN ('${one}');
END
$tallygate_month$`,
    schema,
  )
}
