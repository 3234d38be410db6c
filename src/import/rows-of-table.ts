// Rows of comma-separated values (RFC 4180) under a header, as objects by its names. An empty value is one that is not there.

import { CUT_OFF, LONGEST_ROW, type Row, type RowReader, TOO_LONG } from './row.ts'

export function createTableReader(): RowReader {
  let header: readonly string[] | undefined
  let [line, startLine] = [1, 1]
  let cells: string[] = []
  let cell = ''
  let size = 0
  let isQuoted = false
  /** The quote that was just read ends the cell, unless another one follows. */
  let isAtQuote = false

  function* take(text: string): Iterable<Row> {
    for (const sign of text) {
      if (sign === '\n') line++
      if (isQuoted) {
        if (isAtQuote && sign === '"') {
          add('"')
          isAtQuote = false
          continue
        }
        if (!isAtQuote) {
          if (sign === '"') isAtQuote = true
          else add(sign)
          continue
        }
        isQuoted = isAtQuote = false
      }
      if (sign === '"' && cell === '') isQuoted = true
      else if (sign === ',') next()
      else if (sign === '\n') yield* finish()
      else if (sign !== '\r') add(sign)
    }
  }

  function add(sign: string): void {
    if (++size <= LONGEST_ROW) cell += sign
  }

  function next(): void {
    cells.push(cell)
    cell = ''
  }

  function* finish(): Iterable<Row> {
    next()
    const [row, from, length] = [cells, startLine, size]
    cells = []
    size = 0
    startLine = line
    if (row.length === 1 && row[0] === '') return
    if (header === undefined) header = row.map((name) => name.replace(/^\ufeff/, '').trim())
    else if (length > LONGEST_ROW) yield { line: from, fault: TOO_LONG }
    else if (row.length !== header.length)
      yield { line: from, fault: `It has ${row.length} values, and the header ${header.length} names.` }
    else {
      const entries = header.map((name, i) => [name, row[i]!] as const).filter(([, value]) => value !== '')
      yield { line: from, value: Object.fromEntries(entries) }
    }
  }

  return {
    take,
    *end() {
      if (isQuoted && !isAtQuote) yield { line: startLine, fault: CUT_OFF }
      else if (size > 0 || cells.length > 0) yield* finish()
    },
  }
}
