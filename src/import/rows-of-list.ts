// The objects of one list of JSON, as `GET /spend/logs` answers it, without the list ever being whole in memory.

import { CUT_OFF, LONGEST_ROW, type Row, type RowReader, rowOf, TOO_LONG } from './row.ts'

export function createListReader(): RowReader {
  let [line, startLine] = [1, 1]
  let depth = 0
  let isText = false
  let isEscaped = false
  let pieces: string[] = []
  let length = 0
  let isOver = false

  function* take(text: string): Iterable<Row> {
    let from = depth > 1 ? 0 : -1
    for (let at = 0; at < text.length; at++) {
      const sign = text.charCodeAt(at)
      if (sign === 10) line++
      if (isText) {
        if (isEscaped) isEscaped = false
        else if (sign === 92) isEscaped = true
        else if (sign === 34) isText = false
        continue
      }
      if (sign === 34) isText = true
      else if (sign === 123 || sign === 91) {
        if (depth === 1) [from, startLine] = [at, line]
        depth++
      } else if (sign === 125 || sign === 93) {
        depth--
        if (depth === 0) isOver = true
        if (depth !== 1) continue
        yield finish(from === -1 ? '' : text.slice(from, at + 1))
        from = -1
      }
    }
    if (depth > 1 && from !== -1) {
      length += text.length - from
      if (length <= LONGEST_ROW) pieces.push(text.slice(from))
    }
  }

  function finish(text: string): Row {
    const whole = pieces.join('') + text
    const isTooLong = length > LONGEST_ROW
    pieces = []
    length = 0
    return isTooLong ? { line: startLine, fault: TOO_LONG } : rowOf(startLine, whole, false)
  }

  return {
    take,
    *end() {
      if (!isOver) yield { line: depth > 1 ? startLine : line, fault: CUT_OFF }
    },
  }
}
