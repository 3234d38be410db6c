// Reads a CSV file of any size, line by line; a line that is there twice, or that breaks off, stops it.

import { MeterError } from '../errors.ts'
import { stopAt } from './fields.ts'

export interface CsvLine {
  /** By the names of the header. */
  readonly fields: Readonly<Record<string, string>>
  readonly where: string
}

export interface CsvOptions {
  /** Columns that have to be there; each of them by one of its names. */
  readonly needs: readonly (readonly string[])[]
  /** Two lines alike are one too many; true. */
  readonly unique?: boolean
}

export async function* csvLines(
  path: string,
  name: string,
  { needs, unique = true }: CsvOptions,
): AsyncGenerator<CsvLine> {
  let header: readonly string[] | undefined
  const seen = new Map<number, number>()
  const hash = hasher()
  for await (const { cells, line, raw } of recordsOf(path, name)) {
    if (header === undefined) {
      header = cells.map((cell) => cell.trim())
      checkHeader(header, needs, name)
      continue
    }
    const where = `${name}, line ${line}`
    if (cells.length !== header.length)
      stopAt(
        where,
        'the line',
        `one of ${header.length} fields`,
        `one of ${cells.length}: the file is cut off or not in one form`,
      )
    if (unique) checkOnce(seen, hash(raw), line, where)
    yield { fields: Object.fromEntries(header.map((column, i) => [column, cells[i]!])), where }
  }
  if (header === undefined) stopAt(name, 'the file', 'a line of column names and lines below it', 'an empty file')
}

function checkHeader(header: readonly string[], needs: CsvOptions['needs'], name: string): void {
  const lower = header.map((column) => column.toLowerCase())
  for (const names of needs)
    if (!names.some((column) => lower.includes(column.toLowerCase())))
      throw new MeterError(
        'BAD_INPUT',
        `${name}: expected a column \`${names.join('` or `')}\`, got ${header.slice(0, 12).join(', ')}${header.length > 12 ? ', …' : ''}.`,
      )
  const twice = lower.find((column, i) => column !== '' && lower.indexOf(column) !== i)
  if (twice !== undefined) stopAt(name, 'the column names', 'each once', `${twice} twice`)
}

/** By hashes of 53 bits: the texts of a million lines would take a gigabyte, and two that meet by chance are not to be expected. */
function checkOnce(seen: Map<number, number>, hash: number, line: number, where: string): void {
  const known = seen.get(hash)
  if (known !== undefined) stopAt(where, 'the line', 'one that is there once', `the same as line ${known}`)
  seen.set(hash, line)
}

/** cyrb53: two runs of 32 bits over the text. */
function hasher(): (text: string) => number {
  return (text) => {
    let [one, two] = [0xdeadbeef, 0x41c6ce57]
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      one = Math.imul(one ^ code, 2_654_435_761)
      two = Math.imul(two ^ code, 1_597_334_677)
    }
    one = Math.imul(one ^ (one >>> 16), 2_246_822_507) ^ Math.imul(two ^ (two >>> 13), 3_266_489_909)
    two = Math.imul(two ^ (two >>> 16), 2_246_822_507) ^ Math.imul(one ^ (one >>> 13), 3_266_489_909)
    return 4_294_967_296 * (2_097_151 & two) + (one >>> 0)
  }
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

/** Lines of a text file, without their ends; `\r\n` and a byte order mark too. */
export async function* linesOf(path: string, name: string): AsyncGenerator<string> {
  const { createReadStream } = process.getBuiltinModule('node:fs')
  let rest = ''
  let isFirst = true
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
      const text = rest + (chunk as string)
      const lines = text.split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        yield cleaned(line, isFirst)
        isFirst = false
      }
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === undefined) throw cause
    throw new MeterError('BAD_INPUT', `${name}: ${path} cannot be read (${code}).`, { cause })
  }
  if (rest !== '') yield cleaned(rest, isFirst)
}

function cleaned(line: string, isFirst: boolean): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  return isFirst && text.startsWith('\ufeff') ? text.slice(1) : text
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
