// Cuts single fields out of a JSON object's text, so that an answer which the SDK parses is not parsed a second time.

import type { Json } from './provider.ts'

/**
 * The named top-level fields of the JSON object in `text`, each parsed by itself; `undefined` when the text is no
 * JSON object as far as it was looked at. Walks the top level only: strings are skipped from quote to quote, nested
 * values by counting brackets outside of strings.
 */
export function topLevelFields(text: string, names: readonly string[]): Json | undefined {
  let at = skipSpace(text, 0)
  if (text.charCodeAt(at) !== OPEN_BRACE) return undefined
  const found: Json = {}
  at = skipSpace(text, at + 1)
  if (text.charCodeAt(at) === CLOSE_BRACE) return found
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) return undefined
    const keyEnd = endOfString(text, at)
    if (keyEnd < 0) return undefined
    const key = text.slice(at + 1, keyEnd)
    at = skipSpace(text, keyEnd + 1)
    if (text.charCodeAt(at) !== COLON) return undefined
    const start = skipSpace(text, at + 1)
    const end = endOfValue(text, start)
    if (end < 0) return undefined
    if (names.includes(key)) {
      try {
        found[key] = JSON.parse(text.slice(start, end))
      } catch {
        return undefined
      }
    }
    at = skipSpace(text, end)
    const next = text.charCodeAt(at)
    if (next === CLOSE_BRACE) return found
    if (next !== COMMA) return undefined
    at = skipSpace(text, at + 1)
  }
}

const QUOTE = 34
const COMMA = 44
const COLON = 58
const BACKSLASH = 92
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return at
    at++
  }
}

/** The index of the quote that closes the string opened at `open`; -1 where the text ends before. */
function endOfString(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at
  }
  return -1
}

const STRUCTURE = /["{}[\]]/g
const SCALAR_END = /[\s,}\]]/g

/** The index after the value that starts at `start`; -1 where it does not end. */
function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === QUOTE) {
    const end = endOfString(text, start)
    return end < 0 ? -1 : end + 1
  }
  if (first !== OPEN_BRACE && first !== 91) {
    SCALAR_END.lastIndex = start
    const match = SCALAR_END.exec(text)
    return match && match.index > start ? match.index : -1
  }
  let depth = 0
  STRUCTURE.lastIndex = start
  for (let match = STRUCTURE.exec(text); match; match = STRUCTURE.exec(text)) {
    const code = match[0].charCodeAt(0)
    if (code === QUOTE) {
      const end = endOfString(text, match.index)
      if (end < 0) return -1
      STRUCTURE.lastIndex = end + 1
    } else if (code === OPEN_BRACE || code === 91) depth++
    else if (--depth === 0) return match.index + 1
  }
  return -1
}
