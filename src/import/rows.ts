// The rows of a file, one after another in constant memory: JSON a line, a list of JSON objects, or comma-separated values; packed by gzip or not.

import { LONGEST_ROW, type Row, type RowReader, rowOf, TOO_LONG } from './row.ts'
import { createListReader } from './rows-of-list.ts'
import { createTableReader } from './rows-of-table.ts'
import { CutOffGzip, unpacked } from './unpack.ts'

/** Throws only what `bytes` throws. */
export async function* rowsOf(bytes: AsyncIterable<Uint8Array>, isTable: boolean): AsyncGenerator<Row> {
  const decoder = new TextDecoder()
  let reader: RowReader | undefined
  let first = ''
  let line = 1
  try {
    for await (const chunk of unpacked(bytes)) {
      const text = decoder.decode(chunk, { stream: true })
      if (reader === undefined) {
        first += text
        if (first.trim() === '') continue
        reader = readerFor(first.trimStart()[0]!, isTable)
      }
      for (const row of reader.take(first === '' ? text : first)) {
        line = row.line + 1
        yield row
      }
      first = ''
    }
  } catch (error) {
    if (!(error instanceof CutOffGzip)) throw error
    yield* reader?.end() ?? []
    yield { line, fault: 'The packed file is cut off or damaged from here on.' }
    return
  }
  const rest = decoder.decode()
  if (reader !== undefined) yield* [...reader.take(rest), ...reader.end()]
}

function readerFor(sign: string, isTable: boolean): RowReader {
  if (sign === '[') return createListReader()
  return sign !== '{' && isTable ? createTableReader() : createLineReader()
}

function createLineReader(): RowReader {
  let line = 0
  let pieces: string[] = []
  let length = 0

  function* whole(text: string, isLast: boolean): Iterable<Row> {
    line++
    const given = (length === 0 ? text : pieces.join('') + text).trim()
    const isTooLong = length + text.length > LONGEST_ROW
    pieces = []
    length = 0
    if (isTooLong) yield { line, fault: TOO_LONG }
    else if (given !== '') yield rowOf(line, given, isLast)
  }

  return {
    *take(text) {
      let from = 0
      for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
        yield* whole(text.slice(from, at), false)
        from = at + 1
      }
      length += text.length - from
      if (length <= LONGEST_ROW) pieces.push(text.slice(from))
      else pieces = []
    },
    *end() {
      if (length > 0) yield* whole('', true)
    },
  }
}
