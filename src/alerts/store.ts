// What was told to whom: in the ledger, so that neither a restart nor a second server tells it again.

import type { Alert, AlertKind } from './alert.ts'

/** An alert and one that it is told to. */
export interface Told {
  readonly target: string
  readonly key: string
  readonly kind: AlertKind
  readonly alert: Alert
  readonly raisedAt: number
  /** Absent where it is not told yet. */
  readonly toldAt?: number | undefined
  /** Present where it is over; it is forgotten when that is told too. */
  readonly endedAt?: number | undefined
  /** How often that was tried which has to be told now, this time included. */
  readonly tries: number
}

export interface AlertStore {
  /** Those of a kind that have begun, for these targets. */
  open(kind: AlertKind, targets: readonly string[]): Promise<readonly Pick<Told, 'target' | 'key'>[]>
  /** Notes what has begun; nothing where it is known. */
  raise(target: string, alert: Alert, at: number): Promise<void>
  /** Notes what is over; what was never told is forgotten. */
  end(target: string, key: string, at: number): Promise<void>
  /** Takes what is to be told now: nobody else gets it before `until`. */
  claim(target: string, now: number, until: number): Promise<readonly Told[]>
  /** It was told, at this time. */
  told(told: Told, at: number): Promise<void>
  /** It was not, and is to be tried again from then on. */
  failed(told: Told, nextAt: number): Promise<void>
  close(): Promise<void>
}

/** Runs a statement; its tables are `tallygate.<name>` and its values `$1`, `$2`. */
export interface AlertDatabase {
  run(sql: string, values: readonly (string | number)[]): Promise<Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

/** The same on SQLite and on PostgreSQL, but for the names of the types. */
export function tableSql(text: string, integer: string): string {
  return `CREATE TABLE tallygate.alerts (
  target ${text} NOT NULL,
  key ${text} NOT NULL,
  kind ${text} NOT NULL,
  alert ${text} NOT NULL,
  raised_at ${integer} NOT NULL,
  told_at ${integer},
  ended_at ${integer},
  tries ${integer} NOT NULL,
  next_try_at ${integer} NOT NULL,
  PRIMARY KEY (target, key)
)`
}

const RAISE = `INSERT INTO tallygate.alerts AS known (target, key, kind, alert, raised_at, tries, next_try_at)
VALUES ($1, $2, $3, $4, $5, 0, 0)
ON CONFLICT (target, key) DO UPDATE SET ended_at = NULL WHERE known.ended_at IS NOT NULL`
const CLAIM = `UPDATE tallygate.alerts SET next_try_at = $3, tries = tries + 1
WHERE target = $1 AND next_try_at <= $2 AND (told_at IS NULL OR ended_at IS NOT NULL)
RETURNING key, kind, alert, raised_at, told_at, ended_at, tries`

export function alertStoreOf({ run, close }: AlertDatabase): AlertStore {
  return {
    async open(kind, targets) {
      const found = await Promise.all(
        targets.map((target) =>
          run('SELECT target, key FROM tallygate.alerts WHERE target = $1 AND kind = $2 AND ended_at IS NULL', [
            target,
            kind,
          ]),
        ),
      )
      return found.flat().map((row) => ({ target: String(row['target']), key: String(row['key']) }))
    },
    async raise(target, alert, at) {
      await run(RAISE, [target, alert.key, alert.kind, JSON.stringify(alert), at])
    },
    async end(target, key, at) {
      // Tried, it may have arrived although no answer said so.
      await run('DELETE FROM tallygate.alerts WHERE target = $1 AND key = $2 AND told_at IS NULL AND tries = 0', [
        target,
        key,
      ])
      await run(
        'UPDATE tallygate.alerts SET ended_at = $3, tries = 0, next_try_at = 0 WHERE target = $1 AND key = $2 AND ended_at IS NULL',
        [target, key, at],
      )
    },
    async claim(target, now, until) {
      const rows = await run(CLAIM, [target, now, until])
      return rows.map((row) => toldOf(target, row))
    },
    async told({ target, key, endedAt }, at) {
      if (endedAt !== undefined)
        await run('DELETE FROM tallygate.alerts WHERE target = $1 AND key = $2 AND ended_at = $3', [
          target,
          key,
          endedAt,
        ])
      else
        await run(
          'UPDATE tallygate.alerts SET told_at = $3, tries = 0, next_try_at = 0 WHERE target = $1 AND key = $2',
          [target, key, at],
        )
    },
    async failed({ target, key }, nextAt) {
      await run('UPDATE tallygate.alerts SET next_try_at = $3 WHERE target = $1 AND key = $2', [target, key, nextAt])
    },
    close,
  }
}

function toldOf(target: string, row: Readonly<Record<string, unknown>>): Told {
  const moment = (value: unknown) => (value === null || value === undefined ? undefined : Number(value))
  return {
    target,
    key: String(row['key']),
    kind: String(row['kind']) as AlertKind,
    alert: JSON.parse(String(row['alert'])) as Alert,
    raisedAt: Number(row['raised_at']),
    toldAt: moment(row['told_at']),
    endedAt: moment(row['ended_at']),
    tries: Number(row['tries']),
  }
}
