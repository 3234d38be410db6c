// Which days a command line means.

import { DAY, type Period } from '../reconcile/statement.ts'
import { Stop } from './command.ts'
import { MOMENT_FORMS, parseMoment } from './period.ts'

interface Asked {
  readonly day?: string
  readonly since?: string
  readonly until?: string
  readonly month?: string
}

/** Late rows come within days: a daily job compares the days before once more, three and seven days after they were over. */
const AGAIN = [3, 7]

export interface Days {
  readonly period: Period
  /** Days before it whose late rows have come meanwhile. */
  readonly again: readonly Period[]
}

export function daysOf({ day, since, until, month }: Asked, now: number): Days {
  const given = Object.entries({ day, since, month }).filter(([, value]) => value !== undefined)
  if (given.length !== 1)
    throw new Stop(2, '`reconcile` needs one of `--day <date>`, `--since <moment>` and `--month <month>`.')
  if (until !== undefined && since === undefined) throw new Stop(2, '`--until` goes with `--since`.')
  if (month !== undefined) return { period: monthOf(month), again: [] }
  if (since !== undefined) {
    const from = momentOf('since', since, now)
    const to = until === undefined ? now : momentOf('until', until, now)
    if (to <= from) throw new Stop(2, 'Expected `--until` to be after `--since`.')
    return { period: { since: from, until: to }, again: [] }
  }
  const today = Math.floor(now / DAY) * DAY
  const at = day === 'yesterday' ? today - DAY : momentOf('day', day!, now)
  const start = Math.floor(at / DAY) * DAY
  const again =
    day === 'yesterday' ? AGAIN.map((days) => ({ since: today - days * DAY, until: today - (days - 1) * DAY })) : []
  return { period: { since: start, until: start + DAY }, again }
}

function momentOf(option: string, text: string, now: number): number {
  const at = parseMoment(text, now)
  if (at !== undefined) return at
  throw new Stop(
    2,
    `Expected \`--${option}\` to be ${option === 'day' ? 'yesterday or ' : ''}${MOMENT_FORMS}, got ${JSON.stringify(text)}.`,
  )
}

function monthOf(text: string): Period {
  const [, year, month] = /^(\d{4})-(\d\d)$/.exec(text) ?? []
  if (year === undefined || Number(month) < 1 || Number(month) > 12)
    throw new Stop(2, `Expected \`--month\` to be a month such as 2026-11, got ${JSON.stringify(text)}.`)
  return { since: Date.UTC(Number(year), Number(month) - 1), until: Date.UTC(Number(year), Number(month)) }
}
