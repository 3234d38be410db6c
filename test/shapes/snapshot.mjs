// What a caller can see of a value, as plain text: classes, own properties and their order, whatever is hidden included.

import { inspect } from 'node:util'

const LOOPBACK = /127\.0\.0\.1:\d+/g
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const LOG = /log_[0-9a-f]{6}/g
const DATE = /\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g
/** Made anew in each run, in any build: ids for the SDK's own log. */
const VOLATILE = new Set(['date', 'requestLogID', 'retryOfRequestLogID', 'startTime', 'socket'])
/** Not looked into: they lead to everything. */
const OPAQUE = new Set(['OpenAI', 'Anthropic', 'BaseAnthropic', 'GoogleGenAI', 'ApiClient', 'Models', 'AbortSignal'])

/** Lines, one a property, in the order in which a caller would meet them. @param {unknown} value @returns {string[]} */
export function snapshot(value) {
  const lines = []
  const seen = new Map()
  walk('', value)
  return lines

  function walk(path, value) {
    // A stack kept as text, as @google/genai 1.0 keeps one: its frames are ours too.
    if (typeof value === 'string' && /^Error\n {4}at /.test(value)) return put(path, 'a stack')
    if (typeof value === 'string') return put(path, JSON.stringify(plain(value)))
    if (typeof value === 'bigint' || typeof value === 'symbol') return put(path, String(value))
    if (typeof value === 'function') return put(path, `function ${value.name}/${value.length}`)
    if (typeof value !== 'object' || value === null) return put(path, String(value))
    if (seen.has(value)) return put(path, `same as ${seen.get(value) || 'all of it'}`)
    seen.set(value, path)
    const name = className(value)
    put(path, name)
    if (OPAQUE.has(name)) return
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return put(`${path}#bytes`, bytesOf(value))
    if (value instanceof Headers) {
      for (const [key, text] of value) if (!VOLATILE.has(key)) put(`${path}.${key}`, plain(text))
      return
    }
    if (value instanceof Date) return put(`${path}#time`, String(value.getTime()))
    if (value instanceof Error) {
      put(`${path}#chain`, chainOf(value))
      put(`${path}#stack`, plain(String(value.stack).split('\n', 1)[0]))
    }
    if (value instanceof Response) {
      for (const key of ['status', 'statusText', 'ok', 'url', 'type', 'redirected', 'bodyUsed', 'headers'])
        walk(`${path}#${key}`, value[key])
      put(`${path}#body`, String(value.body && className(value.body)))
      put(`${path}#locked`, String(value.body?.locked))
      put(`${path}#printed`, plain(inspect(value, { depth: 0 })))
    }
    // A body of node-fetch: its listeners are nobody's business but its own.
    if (typeof value.pipe === 'function' && typeof value.read === 'function') return
    if (value instanceof ReadableStream) put(`${path}#locked`, String(value.locked))
    if (value instanceof AbortController) put(`${path}#aborted`, String(value.signal.aborted))
    if (value instanceof Map || value instanceof Set) {
      let at = 0
      for (const entry of value) walk(`${path}#${at++}`, entry)
    }
    for (const key of Reflect.ownKeys(value)) {
      const text = typeof key === 'symbol' ? `[${String(key.description)}]` : key
      if (VOLATILE.has(text) || (value instanceof Error && text === 'stack')) continue
      // Node's own classes keep their state under symbols that differ from one version to the next.
      if (typeof key === 'symbol' && isNative(value)) continue
      const { get, enumerable, value: held } = Object.getOwnPropertyDescriptor(value, key)
      const at = `${path}.${text}${enumerable ? '' : ' (hidden)'}`
      if (get) put(at, 'getter')
      else walk(at, held)
    }
  }

  function put(path, text) {
    lines.push(`${path || '.'} = ${text}`)
  }
}

function plain(text) {
  return text.replace(LOOPBACK, 'HOST').replace(UUID, 'UUID').replace(LOG, 'LOG').replace(DATE, 'DATE')
}

function className(value) {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null) return 'null-prototype'
  const tag = value[Symbol.toStringTag]
  const name = String(value.constructor?.name)
  return typeof tag === 'string' && tag !== name ? `${name} [${tag}]` : name
}

function chainOf(error) {
  const names = []
  for (let at = Object.getPrototypeOf(error); at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    names.push(at.constructor?.name)
  return names.join(' < ')
}

const NATIVES = [Response, ReadableStream, Headers, AbortController, Blob, Promise, URL]

function isNative(value) {
  return NATIVES.some((Class) => value instanceof Class)
}

function bytesOf(value) {
  const bytes =
    value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return plain(Buffer.from(bytes).toString('latin1'))
}

/** The first place at which two lists of lines part, as a sentence; `undefined` where they are the same. */
export function firstDifference(plainRun, meteredRun) {
  const length = Math.max(plainRun.length, meteredRun.length)
  for (let at = 0; at < length; at++) {
    if (plainRun[at] === meteredRun[at]) continue
    return `unpatched ${short(plainRun[at])}, patched ${short(meteredRun[at])}`
  }
  return undefined
}

function short(line) {
  if (line === undefined) return 'nothing more'
  return `\`${line.length > 300 ? `${line.slice(0, 300)}…` : line}\``
}

/** Freezes a request, however deep, so that whoever would change the caller's own objects throws. */
export function frozen(value) {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) frozen(value[key])
  return value
}
