// Cuts single fields out of a JSON object's text, so that an answer which the SDK parses is not parsed a second time.

import { isObject } from './counts.ts'
import type { Json } from './provider.ts'

/**
 * The named top-level fields of the JSON object in `text`, each parsed by itself; those of `asText` as the JSON text
 * they are. `undefined` when the text is no JSON object as far as it was looked at. Walks the top level only: strings
 * are skipped from quote to quote, nested values by counting brackets outside of strings.
 */
export function topLevelFields(
  text: string,
  names: readonly string[] | 'all',
  asText: readonly string[] = [],
): Json | undefined {
  if (names === 'all') {
    const whole = parsed(text)
    return isObject(whole) ? whole : undefined
  }
  let at = skipSpace(text, 0)
  if (text.charCodeAt(at) !== OPEN_BRACE) return undefined
  const found: Json = {}
  at = skipSpace(text, at + 1)
  if (text.charCodeAt(at) === CLOSE_BRACE) return endsAfter(text, at) ? found : undefined
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) return undefined
    const keyEnd = endOfString(text, at)
    if (keyEnd < 0) return undefined
    const key = text.slice(at + 1, keyEnd)
    const name = key.includes('\\') ? parsed(text.slice(at, keyEnd + 1)) : key
    at = skipSpace(text, keyEnd + 1)
    if (name === undefined || text.charCodeAt(at) !== COLON) return undefined
    const start = skipSpace(text, at + 1)
    const end = endOfValue(text, start)
    if (end < 0) return undefined
    if (names.includes(name as string)) {
      const value = parsed(text.slice(start, end))
      if (value === undefined) return undefined
      found[name as string] = value
    } else if (asText.includes(name as string)) found[name as string] = text.slice(start, end)
    at = skipSpace(text, end)
    const next = text.charCodeAt(at)
    if (next === CLOSE_BRACE) return endsAfter(text, at) ? found : undefined
    if (next !== COMMA) return undefined
    at = skipSpace(text, at + 1)
  }
}

function endsAfter(text: string, brace: number): boolean {
  return skipSpace(text, brace + 1) === text.length
}

/** JSON has no `undefined`: that is what a text gives that is none. */
function parsed(text: string): unknown {
  // Most of what is asked for is a name or an id.
  if (text.charCodeAt(0) === QUOTE && !text.includes('\\')) return text.slice(1, -1)
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9
}

function skipSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++
  return at
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

/** The index after the value that starts at `start`; -1 where it does not end. */
function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === QUOTE) {
    const end = endOfString(text, start)
    return end < 0 ? -1 : end + 1
  }
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(text, start)
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isSpace(code)) return at > start ? at : -1
  }
  return -1
}

/** Character by character: outside of its strings an answer has few of them, and a regular expression takes thrice as long. */
function endOfNested(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      if (at < 0) return -1
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return at + 1
  }
  return -1
}

/** A field's value in the text, or, where the object has no such field, the place for it before its last brace. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly isThere: boolean
  /** The object has no field at all. */
  readonly isFirst: boolean
}

/** Where the JSON object in `text` has a field of its top level: the last one of that name. */
export function spanOfField(text: string, name: string): Span | undefined {
  let at = skipSpace(text, 0)
  if (text.charCodeAt(at) !== OPEN_BRACE) return undefined
  at = skipSpace(text, at + 1)
  if (text.charCodeAt(at) === CLOSE_BRACE) return { start: at, end: at, isThere: false, isFirst: true }
  let found: Span | undefined
  for (;;) {
    const keyEnd = text.charCodeAt(at) === QUOTE ? endOfString(text, at) : -1
    if (keyEnd < 0) return undefined
    const key = parsed(text.slice(at, keyEnd + 1))
    const start = skipSpace(text, skipSpace(text, keyEnd + 1) + 1)
    const end = endOfValue(text, start)
    if (end < 0) return undefined
    if (key === name) found = { start, end, isThere: true, isFirst: false }
    at = skipSpace(text, end)
    if (text.charCodeAt(at) === CLOSE_BRACE) return found ?? { start: at, end: at, isThere: false, isFirst: false }
    if (text.charCodeAt(at) !== COMMA) return undefined
    at = skipSpace(text, at + 1)
  }
}

/** The array that a field holds, or that its JSON text is; empty for anything else. */
export function parsedArray(value: unknown): readonly unknown[] {
  const array = typeof value === 'string' ? parsed(value) : value
  return Array.isArray(array) ? array : []
}

/** How many items an array has, counted in its JSON text where it is that: images in base64 are not parsed for it. */
export function countItems(value: unknown): number {
  if (typeof value !== 'string') return Array.isArray(value) ? value.length : 0
  if (value.charCodeAt(0) !== OPEN_BRACKET) return 0
  let count = 0
  let at = skipSpace(value, 1)
  while (at < value.length && value.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = endOfValue(value, at)
    if (end < 0) return count
    count++
    at = skipSpace(value, end)
    if (value.charCodeAt(at) === COMMA) at = skipSpace(value, at + 1)
  }
  return count
}
