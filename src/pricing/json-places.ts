// JSON with the line and column of every value, so that what is wrong in a file can be pointed at.

export interface Place {
  readonly line: number
  readonly column: number
}

export interface PlacedJson {
  readonly value: unknown
  /** Where the value behind `key` of an object or list of this document begins; where the document does, if there is none. */
  placeOf(container: unknown, key: string | number): Place
  /** The same of the name before it. */
  placeOfName(container: unknown, key: string): Place
}

/** A text that is no JSON: what was expected, what stands there, and where. */
export class JsonFault extends Error {
  readonly place: Place

  constructor(message: string, place: Place) {
    super(message)
    this.place = place
  }
}

const SPACE = /[ \t\r\n]*/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has none of them in a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y
const DEEPEST = 64

interface Offsets {
  readonly names: Map<string, number>
  readonly values: Map<string | number, number>
}

/**
 * Throws a `JsonFault`. Stricter than `JSON.parse` in one thing: a name that stands twice in an object is a fault, since
 * one of its values would be lost.
 */
export function parsePlaced(text: string): PlacedJson {
  const offsets = new WeakMap<object, Offsets>()
  let at = text.startsWith('\uFEFF') ? 1 : 0

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  const take = (sign: string): boolean => {
    match(SPACE)
    if (text[at] !== sign) return false
    at++
    return true
  }
  const fail = (expects: string): never => {
    match(SPACE)
    const sign = String.fromCodePoint(text.codePointAt(at) ?? 0)
    throw new JsonFault(
      `expected ${expects}, got ${at < text.length ? JSON.stringify(sign) : 'the end'}`,
      placeAt(text, at),
    )
  }

  function value(depth: number): unknown {
    match(SPACE)
    if (depth > DEEPEST) throw new JsonFault(`nested deeper than ${DEEPEST} levels`, placeAt(text, at))
    if (take('{')) return object(depth)
    if (take('[')) return list(depth)
    const found = match(STRING) ?? match(NUMBER) ?? match(WORD)
    return found === undefined ? fail('a value') : JSON.parse(found)
  }

  function object(depth: number): unknown {
    const made = {}
    const own: Offsets = { names: new Map(), values: new Map() }
    offsets.set(made, own)
    if (take('}')) return made
    do {
      match(SPACE)
      const begins = at
      const found = match(STRING)
      if (found === undefined) return fail('a name in double quotes')
      const name = JSON.parse(found) as string
      if (own.names.has(name))
        throw new JsonFault(`the name ${found} stands twice in one object`, placeAt(text, begins))
      own.names.set(name, begins)
      if (!take(':')) fail('`:`')
      match(SPACE)
      own.values.set(name, at)
      // Assigned, `__proto__` would become the object's prototype.
      Object.defineProperty(made, name, {
        value: value(depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      })
    } while (take(','))
    return take('}') ? made : fail('`,` or `}`')
  }

  function list(depth: number): unknown {
    const made: unknown[] = []
    const own: Offsets = { names: new Map(), values: new Map() }
    offsets.set(made, own)
    if (take(']')) return made
    do {
      match(SPACE)
      own.values.set(made.length, at)
      made.push(value(depth + 1))
    } while (take(','))
    return take(']') ? made : fail('`,` or `]`')
  }

  const whole = value(0)
  match(SPACE)
  if (at < text.length) fail('nothing more')
  const of = (container: unknown) =>
    typeof container === 'object' && container !== null ? offsets.get(container) : undefined
  return {
    value: whole,
    placeOf: (container, key) => placeAt(text, of(container)?.values.get(key) ?? 0),
    placeOfName: (container, key) => placeAt(text, of(container)?.names.get(key) ?? 0),
  }
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(text.startsWith('\uFEFF') ? 1 : 0, offset)
  const lines = before.split('\n')
  return { line: lines.length, column: lines.at(-1)!.length + 1 }
}
