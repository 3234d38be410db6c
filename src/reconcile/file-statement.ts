// A statement out of a file that somebody exported: what every format has in common.

import { expected, MeterError } from '../errors.ts'
import { providerNamed } from '../pricing/provider-names.ts'
import { csvLines, linesOf } from './csv-file.ts'
import { type Fields, objectIn, stop, stopAt } from './fields.ts'
import { createOnce, type LinePlace } from './once.ts'
import { DAY, type Grain, HOUR, MINUTE, type Period, type Statement, type StatementRow } from './statement.ts'

export interface FileOptions {
  /** The file, or those that an export was written in; packed by gzip or not. */
  readonly path: string | readonly string[]
  /** Whose calls it is about, as on our events; lines of others are passed over. */
  readonly provider: string
}

type FileRow = Omit<StatementRow, 'source'>

export interface FileFormat {
  readonly source: string
  /** For messages: `AWS CUR 2.0`. */
  readonly name: string
  /** Columns that have to be there, each by one of its names. */
  readonly needs: readonly (readonly string[])[]
  /** A JSON object on each line, in place of CSV. */
  readonly isJsonLines?: boolean
  /** It counts, and says no costs. */
  readonly isUsageOnly?: boolean
  /** A line for each request: no two are of the same one. */
  readonly isOfRequests?: boolean
  /** In lower case: what differs where the same is in two exports of different times. */
  readonly figures?: readonly string[]
  readonly lagMs: number
  readonly cannotTell: readonly string[]
  readonly folds?: Grain['folds']
  /** The row of a line, or the rows; `undefined` for a line that is about something else. */
  read(fields: Fields, where: string, provider: string): FileRow | readonly FileRow[] | undefined
}

const TELLS: Grain['tells'] = ['model', 'tier', 'type', 'requests', 'quantity']

export function fileStatement(format: FileFormat, { path, provider: named }: FileOptions): Statement {
  const { source, name, lagMs, cannotTell, isUsageOnly = false, isOfRequests = false, figures, folds = {} } = format
  const files = typeof path === 'string' ? [path] : path
  if (!isText(named)) throw new MeterError('BAD_OPTION', expected('provider', 'a text', named))
  if (!Array.isArray(files) || files.length === 0 || !files.every(isText))
    throw new MeterError('BAD_OPTION', expected('path', 'a text, or a list of texts', path))
  const provider = providerNamed(named)

  async function* rows(_: Period, progress?: (rows: number) => void): AsyncGenerator<StatementRow> {
    const lines = createOnce('the line', files)
    const requests = createOnce('the request', files)
    const alike = createOnce('the line', files)
    let count = 0
    for await (const { fields, raw, place } of linesIn(format, files)) {
      const { where } = place
      count += 1
      progress?.(count)
      const read = format.read(fields, where, provider) ?? []
      const own: readonly FileRow[] = Array.isArray(read) ? read : [read as FileRow]
      const [id] = own.flatMap(({ responseId }) => responseId ?? [])
      if (isOfRequests && id !== undefined) requests.see(id, place)
      else lines.see(raw, place)
      if (figures !== undefined && files.length > 1) alike.seeElsewhere(without(fields, figures), place)
      for (const row of own) {
        checkBucket(row, where)
        yield { source, ...row }
      }
    }
    if (count === 0) stopAt(name, 'the file', 'lines', 'none')
  }

  const grain: Grain = { stepMs: DAY, lagMs, tells: TELLS, folds }
  return {
    source,
    provider,
    usage: isUsageOnly ? grain : undefined,
    cost: isUsageOnly ? undefined : grain,
    cannotTell,
    isPulled: false,
    rows,
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** What a line is about, whatever it comes to, and in whatever order its columns are. */
function without(fields: Fields, figures: readonly string[]): string {
  const named = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value] as const)
  const told = named.filter(([name, value]) => !figures.includes(name) && value !== '')
  return JSON.stringify(told.sort(([a], [b]) => (a < b ? -1 : 1)))
}

interface FileLine {
  readonly fields: Fields
  readonly raw: string
  readonly place: LinePlace
}

async function* linesIn(format: FileFormat, files: readonly string[]): AsyncGenerator<FileLine> {
  for (const [file, path] of files.entries()) {
    const name = files.length === 1 ? format.name : `${format.name} ${path}`
    const read = format.isJsonLines ? jsonLines(path, name, format.needs) : csvLines(path, name, format.needs)
    for await (const { fields, line, raw } of read)
      yield { fields, raw, place: { file, line, where: `${name}, line ${line}` } }
  }
}

/** CloudWatch writes the moment before each record that it exports to S3. */
const MOMENT_BEFORE = /^\d{4}-\d\d-\d\dT[\d:.]+Z (?=\{)/

async function* jsonLines(
  path: string,
  name: string,
  needs: FileFormat['needs'],
): AsyncGenerator<{ readonly fields: Fields; readonly line: number; readonly raw: string }> {
  let line = 0
  for await (const raw of linesOf(path, name)) {
    line += 1
    const text = raw.replace(MOMENT_BEFORE, '')
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
    yield { fields, line, raw }
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
