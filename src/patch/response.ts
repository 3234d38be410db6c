// Watching a Response that the caller reads: every way to read it reports to the exchange, lazily and once.

import type { Exchange } from './exchange.ts'
import { tap } from './tap.ts'

interface Observation {
  readonly exchange: Exchange
  readonly isStream: boolean
  /** True while the SDK takes the untapped body, whose chunks are watched after it parsed them. */
  isHandingOver: boolean
  /** The body as the caller gets it, made when first asked for. */
  tapped: ReadableStream<Uint8Array> | null | undefined
  isTouched: boolean
  /** `clone` as it was before we stood in front of it. */
  readonly clone: () => Response
}

const observations = new WeakMap<object, Observation>()

// A stream that nobody ever reads is only known to be over when its Response is collected.
const forgotten = new FinalizationRegistry<Exchange>((exchange) => exchange.end('unread'))

type AnyResponse = Response & Record<string, unknown>

/** Stands between the caller and `response` from now on; a second call for the same Response does nothing. */
export function observeResponse(response: Response, exchange: Exchange, isStream: boolean): void {
  if (observations.has(response) || exchange.hasEnded) return
  const observation: Observation = {
    exchange,
    isStream,
    isHandingOver: false,
    tapped: undefined,
    isTouched: false,
    clone: response.clone,
  }
  observations.set(response, observation)
  const prototype = Object.getPrototypeOf(response) as object
  if (Object.hasOwn(response, 'json') || Object.hasOwn(response, 'text') || Object.hasOwn(response, 'body'))
    Object.defineProperties(response, Object.getOwnPropertyDescriptors(watching(response)))
  else Object.setPrototypeOf(response, watchingPrototype(prototype))
  if (isStream) forgotten.register(response, exchange)
  else exchange.unread(() => readUnread(response, observation))
}

/** The exchange behind a stream's Response, with the run that hands the SDK its untapped body. */
export function handOver(
  response: object,
): { exchange: Exchange; duringFirstStep: <T>(step: () => T) => T } | undefined {
  const observation = observations.get(response)
  if (!observation || observation.exchange.hasEnded) return undefined
  return {
    exchange: observation.exchange,
    duringFirstStep(step) {
      observation.isHandingOver = true
      try {
        return step()
      } finally {
        observation.isHandingOver = false
      }
    },
  }
}

const prototypes = new WeakMap<object, object>()

/** One prototype between a Response class and its instances: cheaper than ten own properties each, and not seen by `Object.keys`. */
function watchingPrototype(base: object): object {
  let watched = prototypes.get(base)
  if (!watched) prototypes.set(base, (watched = watching(base)))
  return watched
}

function watching(base: object): object {
  const original = base as AnyResponse
  const { json, text, arrayBuffer, blob, formData, clone } = original
  const bytes = original.bytes as (() => Promise<Uint8Array>) | undefined
  const bodyOf = bodyGetter(base)

  /** Reads by the method given; a stream is read through its tap, so that what is hidden stays hidden. */
  function reading<T>(read: (this: Response) => Promise<T>, report: (exchange: Exchange, value: T) => void) {
    return async function (this: Response): Promise<T> {
      const observation = observations.get(this)
      if (!observation || observation.exchange.hasEnded) return read.call(this)
      observation.isTouched = true
      if (observation.isStream && bodyOf.call(this)) {
        const copy = new Response(tapped(this, observation, bodyOf), { headers: this.headers })
        return read.call(copy)
      }
      try {
        const value = await read.call(this)
        report(observation.exchange, value)
        return value
      } catch (error) {
        observation.exchange.end('failed', error)
        throw error
      }
    }
  }

  const decode = (exchange: Exchange, value: ArrayBuffer | Uint8Array) =>
    exchange.answerText(new TextDecoder().decode(value))

  const methods: Record<string, unknown> = {
    json: reading(json, (exchange, value) => exchange.answer(value)),
    text: reading(text, (exchange, value) => exchange.answerText(value)),
    arrayBuffer: reading(arrayBuffer, decode),
    blob: reading(blob, (exchange, value) => void value.text().then((all) => exchange.answerText(all))),
    formData: reading(formData, (exchange) => exchange.end('unread')),
    clone(this: Response): Response {
      const observation = observations.get(this)
      if (!observation || observation.exchange.hasEnded) return clone.call(this)
      if (observation.isStream && bodyOf.call(this)) return cloneStream(this, observation, bodyOf)
      const copy = clone.call(this)
      observeResponse(copy, observation.exchange, false)
      return copy
    },
  }
  if (bytes) methods['bytes'] = reading(bytes as () => Promise<Uint8Array>, decode)

  const overlay = Object.create(base) as object
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(overlay, name, { value, writable: true, configurable: true })
  Object.defineProperty(overlay, 'body', {
    configurable: true,
    get(this: Response) {
      const observation = observations.get(this)
      if (!observation || observation.isHandingOver || (observation.exchange.hasEnded && !observation.tapped))
        return bodyOf.call(this)
      return tapped(this, observation, bodyOf)
    },
  })
  return overlay
}

function bodyGetter(base: object): (this: Response) => ReadableStream<Uint8Array> | null {
  for (let at: object | null = base; at; at = Object.getPrototypeOf(at)) {
    const descriptor = Object.getOwnPropertyDescriptor(at, 'body')
    if (descriptor?.get) return descriptor.get as (this: Response) => ReadableStream<Uint8Array> | null
    if (descriptor) return () => descriptor.value as ReadableStream<Uint8Array> | null
  }
  return () => null
}

function tapped(
  response: Response,
  observation: Observation,
  bodyOf: (this: Response) => ReadableStream<Uint8Array> | null,
): ReadableStream<Uint8Array> | null {
  if (observation.tapped !== undefined) return observation.tapped
  const body = bodyOf.call(response)
  if (!body || typeof body.getReader !== 'function') return body
  if (!observation.isStream) {
    // Once the caller holds the body, cloning would lock it: from here on only the caller can read the answer.
    observation.isTouched = true
    forgotten.register(response, observation.exchange)
  }
  observation.tapped = tap(body, observation.exchange, observation.isStream)
  return observation.tapped
}

/** `Response.clone` of a stream: two branches of the tapped body, since a clone of the untapped one would show what is hidden. */
function cloneStream(
  response: Response,
  observation: Observation,
  bodyOf: (this: Response) => ReadableStream<Uint8Array> | null,
): Response {
  const body = tapped(response, observation, bodyOf)
  const branches = body?.tee()
  observation.tapped = branches?.[0] ?? null
  const copy = new Response(branches?.[1] ?? null, {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  })
  Object.defineProperty(copy, 'url', { value: response.url })
  return copy
}

async function readUnread(response: Response, observation: Observation): Promise<void> {
  if (observation.isTouched || response.bodyUsed) return
  observation.isTouched = true
  const copy = observation.clone.call(response)
  observation.exchange.answerText(await copy.text())
}
