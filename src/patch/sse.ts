// Splits the bytes of a server-sent event stream into whole events, for bodies that a caller reads raw.

/** One event: its `data` and the exact text it came as, delimiter included. */
export interface RawEvent {
  readonly data: string | undefined
  readonly raw: string
}

const BYTE_ORDER_MARK = 0xfeff
/** Two line ends, of any kind; a `\r` before a `\n` is never one of its own. */
const DELIMITER = /(?:\r\n|\n|\r(?!\n)){2}/g

/**
 * Takes bytes in any cut (inside a UTF-8 sequence, inside a line) and gives the events that are complete.
 * Text that never completes an event is given by `rest`, so that nothing of the caller's body is lost.
 */
export function sseSplitter(): { push(bytes: Uint8Array): RawEvent[]; rest(): string } {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let pending = ''
  return {
    push(bytes) {
      const from = Math.max(0, pending.length - 3)
      pending += decoder.decode(bytes, { stream: true })
      const events: RawEvent[] = []
      let start = 0
      DELIMITER.lastIndex = from
      for (let match = DELIMITER.exec(pending); match; match = DELIMITER.exec(pending)) {
        const end = match.index + match[0].length
        // A `\r` at the end of what has come may be the first half of `\r\n`: wait for the next byte to know.
        if (match[0].endsWith('\r') && end === pending.length) break
        const raw = pending.slice(start, end)
        events.push({ raw, data: dataOf(raw) })
        start = end
      }
      if (start > 0) pending = pending.slice(start)
      return events
    },
    rest() {
      const rest = pending + decoder.decode()
      pending = ''
      return rest
    },
  }
}

/** The `data:` lines of an event, joined as the standard says; `undefined` where it has none. */
export function dataOf(raw: string): string | undefined {
  let data: string | undefined
  const text = raw.charCodeAt(0) === BYTE_ORDER_MARK ? raw.slice(1) : raw
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (!line.startsWith('data:')) continue
    const value = line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5)
    data = data === undefined ? value : `${data}\n${value}`
  }
  return data
}
