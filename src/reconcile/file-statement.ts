// A statement out of a file that somebody exported: what every format has in common.

import { expected, MeterError } from '../errors.ts'
import { csvLines, linesOf } from './csv-file.ts'
import { type Fields, objectIn, stop, stopAt } from './fields.ts'
import { DAY, type Grain, HOUR, MINUTE, type Period, type Statement, type StatementRow } from './statement.ts'

export interface FileOptions {
  readonly path: string
  /** Whose calls it is about, as on our events; lines of others are passed over. */
  readonly provider: string
}

export interface FileFormat {
  readonly source: string
  /** For messages: `AWS CUR 2.0`. */
  readonly name: string
  /** Columns that have to be there, each by one of its names. */
  readonly needs: readonly (readonly string[])[]
  /** A JSON object on each line, in place of CSV. */
  readonly isJsonLines?: boolean
  readonly lagMs: number
  readonly cannotTell: readonly string[]
  readonly folds?: Grain['folds']
  /** The row of a line; `undefined` for a line that is about something else. */
  read(fields: Fields, where: string, options: FileOptions): Omit<StatementRow, 'source'> | undefined
}

const TELLS: Grain['tells'] = ['model', 'tier', 'type', 'requests', 'quantity']

export function fileStatement(format: FileFormat, options: FileOptions): Statement {
  const { source, name, lagMs, cannotTell, folds = {} } = format
  for (const [option, value] of Object.entries(options))
    if (typeof value !== 'string' || value === '') throw new MeterError('BAD_OPTION', expected(option, 'a text', value))

  async function* rows(_: Period, progress?: (rows: number) => void): AsyncGenerator<StatementRow> {
    let count = 0
    for await (const { fields, where } of linesIn(format, options.path)) {
      count += 1
      progress?.(count)
      const row = format.read(fields, where, options)
      if (row === undefined) continue
      checkBucket(row, where)
      yield { source, ...row }
    }
    if (count === 0) stopAt(name, 'the file', 'lines', 'none')
  }

  return {
    source,
    provider: options.provider,
    usage: undefined,
    cost: { stepMs: DAY, lagMs, tells: TELLS, folds },
    cannotTell,
    isPulled: false,
    rows,
  }
}

async function* linesIn(format: FileFormat, path: string): AsyncGenerator<{ fields: Fields; where: string }> {
  const { name, needs, isJsonLines = false } = format
  if (!isJsonLines) {
    yield* csvLines(path, name, { needs })
    return
  }
  let line = 0
  for await (const text of linesOf(path, name)) {
    line += 1
    if (text.trim() === '') continue
    const where = `${name}, line ${line}`
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      stopAt(where, 'the line', 'a JSON object', 'one that breaks off, or is none')
    }
    const fields = objectIn(value, where, 'the line')
    for (const names of needs)
      if (!names.some((field) => field in fields)) stop(where, names.join('` or `'), 'there', undefined)
    yield { fields, where }
  }
}

/** Buckets of another clock would be compared with the wrong calls, day for day. */
function checkBucket({ since, until }: Pick<StatementRow, 'since' | 'until'>, where: string): void {
  const width = until - since
  const shown = `${new Date(since).toISOString()} to ${new Date(until).toISOString()}`
  if (width <= 0 || width > DAY) stopAt(where, 'the period', 'of at most a day', shown)
  const step = width > HOUR ? DAY : width > MINUTE ? HOUR : 1
  if (since % step !== 0)
    stopAt(where, 'the period', step === DAY ? 'a day in UTC' : 'an hour that begins at its first minute', shown)
}

/** Of a line, the field that has one of these names, whatever their case. */
export function fieldOf(fields: Fields, ...names: readonly string[]): string | undefined {
  for (const name of names)
    for (const given of [name, name.toLowerCase()]) {
      const value = fields[given]
      if (value === undefined || value === null || value === '') continue
      return typeof value === 'object' ? undefined : String(value as string | number | boolean)
    }
  return undefined
}

/** The same line with its fields in lower case, so that each has one name. */
export function lowered(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]))
}
