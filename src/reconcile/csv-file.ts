// Reads a CSV file of any size, packed or not, line by line; one that breaks off stops it.

import { MeterError } from '../errors.ts'
import { CutOffGzip, unpacked } from '../import/unpack.ts'
import { stopAt } from './fields.ts'

export interface CsvLine {
  /** By the names of the header. */
  readonly fields: Readonly<Record<string, string>>
  readonly line: number
  /** As it is in the file. */
  readonly raw: string
}

/** `needs`: columns that have to be there; each of them by one of its names. */
export async function* csvLines(
  path: string,
  name: string,
  needs: readonly (readonly string[])[],
): AsyncGenerator<CsvLine> {
  let header: readonly string[] | undefined
  for await (const { cells, line, raw } of recordsOf(path, name)) {
    if (header === undefined) {
      header = cells.map((cell) => cell.trim())
      checkHeader(header, needs, name)
      continue
    }
    if (cells.length !== header.length)
      stopAt(
        `${name}, line ${line}`,
        'the line',
        `one of ${header.length} fields`,
        `one of ${cells.length}: the file is cut off or not in one form`,
      )
    yield { fields: Object.fromEntries(header.map((column, i) => [column, cells[i]!])), line, raw }
  }
  if (header === undefined) stopAt(name, 'the file', 'a line of column names and lines below it', 'an empty file')
}

function checkHeader(header: readonly string[], needs: readonly (readonly string[])[], name: string): void {
  const lower = header.map((column) => column.toLowerCase())
  for (const names of needs)
    if (!names.some((column) => lower.includes(column.toLowerCase())))
      throw new MeterError(
        'BAD_INPUT',
        `${name}: expected a column \`${names.join('` or `')}\`, got ${shownNames(header)}.`,
      )
  const twice = lower.find((column, i) => column !== '' && lower.indexOf(column) !== i)
  if (twice !== undefined) stopAt(name, 'the column names', 'each once', `${twice} twice`)
}

/** Of another kind of file the first line may hold anything. */
function shownNames(header: readonly string[]): string {
  if (!header.every((name) => /^[\w ./();:|\t-]{0,60}$/.test(name))) return 'a first line that is not of names'
  return `${header.slice(0, 12).join(', ')}${header.length > 12 ? ', …' : ''}`
}

interface CsvRecord {
  readonly cells: readonly string[]
  /** Where it begins, the first is 1. */
  readonly line: number
  readonly raw: string
}

/** RFC 4180: quotes, quotes doubled inside of them, and line ends inside of them too. */
async function* recordsOf(path: string, name: string): AsyncGenerator<CsvRecord> {
  let line = 0
  let start = 0
  let open = ''
  for await (const text of linesOf(path, name)) {
    line += 1
    if (open === '') start = line
    const raw = open === '' ? text : `${open}\n${text}`
    if (((raw.match(/"/g) ?? []).length & 1) === 1) {
      open = raw
      continue
    }
    open = ''
    if (raw.trim() !== '') yield { cells: cellsOf(raw), line: start, raw }
  }
  if (open !== '') stopAt(`${name}, line ${start}`, 'the line', 'one that ends', 'one that breaks off inside of quotes')
}

/** Lines of a text file, packed by gzip or not, without their ends; `\r\n` and a byte order mark too. */
export async function* linesOf(path: string, name: string): AsyncGenerator<string> {
  const { createReadStream } = process.getBuiltinModule('node:fs')
  // It leaves a byte order mark out by itself.
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of unpacked(createReadStream(path))) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop()!
      for (const line of lines) yield withoutReturn(line)
    }
  } catch (cause) {
    if (cause instanceof CutOffGzip) stopAt(name, 'the file', 'whole', 'one whose packing is cut off or damaged')
    const code = (cause as NodeJS.ErrnoException).code
    if (code === undefined || cause instanceof MeterError) throw cause
    throw new MeterError('BAD_INPUT', `${name}: ${path} cannot be read (${code}).`, { cause })
  }
  rest += decoder.decode()
  if (rest !== '') yield withoutReturn(rest)
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function cellsOf(raw: string): string[] {
  if (!raw.includes('"')) return raw.split(',')
  const cells: string[] = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < raw.length; i++) {
    const sign = raw[i]!
    if (sign === '"') {
      if (quoted && raw[i + 1] === '"') {
        cell += '"'
        i += 1
      } else quoted = !quoted
    } else if (sign === ',' && !quoted) {
      cells.push(cell)
      cell = ''
    } else cell += sign
  }
  cells.push(cell)
  return cells
}
