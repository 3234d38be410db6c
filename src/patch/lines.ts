// An answer that has one JSON object a line, as it comes in: whole, or in pieces that part lines and characters.

import type { Exchange } from './exchange.ts'

/** What a line may hold in memory while it is put together. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024
/** Of a file that has arrived in whole; small enough to notice early that it is something else. */
const PIECE_BYTES = 64 * 1024

interface LineReader {
  push(text: string): void
  end(): void
  /** A line was no object: the file is the application's own, and nothing more of it is looked at. */
  readonly isOther: boolean
}

/** Tells the exchange of each line. */
export function lineReader(exchange: Exchange): LineReader {
  let rest = ''
  let isOther = false

  function take(line: string): void {
    const start = line.trimStart()
    if (start === '') return
    if (start[0] === '{') {
      try {
        exchange.chunk(JSON.parse(start))
        return
      } catch {
        // Not what it looked like.
      }
    }
    isOther = true
    rest = ''
  }

  return {
    push(text) {
      let from = 0
      for (let at = text.indexOf('\n'); at >= 0 && !isOther; at = text.indexOf('\n', from)) {
        take(rest + text.slice(from, at))
        rest = ''
        from = at + 1
      }
      if (isOther) return
      rest += text.slice(from)
      // A file of bytes may have no line for megabytes.
      if (rest.length > MAX_LINE_CHARACTERS || !/^\s*(?:\{|$)/.test(rest.slice(0, 64))) {
        isOther = true
        rest = ''
      }
    },
    end() {
      if (!isOther) take(rest)
      rest = ''
    },
    get isOther() {
      return isOther
    },
  }
}

export function readText(exchange: Exchange, text: string): void {
  const reader = lineReader(exchange)
  reader.push(text)
  reader.end()
}

/** The same of a file that is there as bytes; one that is no text is not decoded to its end. */
export function readLines(exchange: Exchange, bytes: ArrayBuffer | Uint8Array): void {
  const all = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
  const decoder = new TextDecoder()
  const reader = lineReader(exchange)
  for (let from = 0; from < all.byteLength && !reader.isOther; from += PIECE_BYTES)
    reader.push(decoder.decode(all.subarray(from, from + PIECE_BYTES), { stream: true }))
  reader.push(decoder.decode())
  reader.end()
  exchange.end('complete')
}
