// A prototype between a Response class and its instances, whose methods report what they read.

import { type Exchange, endOf } from './exchange.ts'
import { readLines } from './lines.ts'
import { createNotes } from './notes.ts'
import {
  type Body,
  isBodyUsed,
  isTapped,
  newObservation,
  type Observation,
  type Original,
  observations,
  servedBy,
  tappedBody,
} from './observation.ts'

/** From now on whatever is read of the Response is told to its exchange. */
export function watch(response: Response, observation: Observation): void {
  // A Response that its maker has dressed with methods of its own keeps them, under ours.
  if (METHODS.some((name) => Object.hasOwn(response, name)) || Object.hasOwn(response, 'body'))
    Object.defineProperties(response, Object.getOwnPropertyDescriptors(watching(response)))
  else Object.setPrototypeOf(response, watchingPrototype(Object.getPrototypeOf(response) as object))
  observations.set(response, observation)
}

/** Exchanges whose body the SDK may ask for once more when it cannot be read. */
const leftToSdk = createNotes<true>()

export function leaveFailures(exchange: Exchange): void {
  leftToSdk.set(exchange, true)
}

const prototypes = new WeakMap<object, object>()

/** Cheaper than ten own properties on each Response, and not seen by whoever lists them. */
function watchingPrototype(base: object): object {
  let watched = prototypes.get(base)
  if (!watched) prototypes.set(base, (watched = watching(base)))
  return watched
}

const METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'bytes', 'formData'] as const
type Method = (typeof METHODS)[number]

function decoded(exchange: Exchange, bytes: ArrayBuffer | Uint8Array): void {
  if (exchange.form === 'bytes') exchange.end('complete')
  else if (exchange.form === 'lines') readLines(exchange, bytes)
  else exchange.answerText(new TextDecoder().decode(bytes))
}

async function readBlob(exchange: Exchange, blob: Blob): Promise<void> {
  if (exchange.form === 'bytes') exchange.end('complete')
  else if (exchange.form === 'lines') readLines(exchange, await blob.arrayBuffer())
  else exchange.answerText(await blob.text())
}

const REPORTS: Readonly<Record<Method, (exchange: Exchange, value: never) => void | Promise<void>>> = {
  json: (exchange, value: unknown) => exchange.answer(value),
  text: (exchange, value: string) => exchange.answerText(value),
  arrayBuffer: decoded,
  bytes: decoded,
  blob: readBlob,
  formData: (exchange) => exchange.end('unread'),
}

function watching(base: object): object {
  const methods = base as Response & Record<Method, ((this: Response) => Promise<never>) | undefined>
  const bodyOf = getterOf<Body | null>(base, 'body')
  const original = { bodyOf, prototype: base }
  const bodyUsedOf = getterOf<boolean>(base, 'bodyUsed')
  const overlay = Object.create(base) as object
  for (const name of METHODS) {
    const read = methods[name]
    if (read) method(overlay, name, reading(read, original, REPORTS[name]))
  }
  const { clone } = methods
  method(overlay, 'clone', function (this: Response) {
    const observation = observations.get(this)
    if (observation?.reader !== 'nobody') return clone.call(this)
    if (isTapped(observation)) return cloneTapped(this, observation, original)
    const copy = clone.call(this)
    if (!observation.exchange.hasEnded) watch(copy, newObservation(observation.exchange, false))
    return copy
  })
  Object.defineProperties(overlay, {
    body: {
      configurable: true,
      get(this: Response) {
        const observation = observations.get(this)
        if (observation?.reader !== 'nobody') return bodyOf.call(this)
        const { exchange, isStream, tapped } = observation
        // Somebody else has read a copy of it already.
        if (exchange.hasEnded && !isStream && !tapped) return bodyOf.call(this)
        return tappedBody(this, observation, original)
      },
    },
    bodyUsed: {
      configurable: true,
      get(this: Response) {
        const observation = observations.get(this)
        return observation && isTapped(observation) ? isBodyUsed(observation) : bodyUsedOf.call(this)
      },
    },
  })
  return overlay
}

function reading(
  read: (this: Response) => Promise<never>,
  original: Original,
  report: (exchange: Exchange, value: never) => void | Promise<void>,
) {
  return async function (this: Response): Promise<never> {
    const observation = observations.get(this)
    if (observation?.reader !== 'nobody') return read.call(this)
    if (isTapped(observation)) return read.call(servedBy(this, observation, original))
    const { exchange } = observation
    observation.reader = 'itself'
    try {
      const value = await read.call(this)
      const told = report(exchange, value)
      if (told) await told
      return value
    } catch (error) {
      if (!leftToSdk.get(exchange)) exchange.end(endOf(error), error)
      throw error
    }
  }
}

/** Both branches are of the tapped body: a clone of the body itself would show what is hidden, or report twice. */
function cloneTapped(response: Response, observation: Observation, original: Original): Response {
  const { exchange, isStream, root = response } = observation
  const served = servedBy(response, observation, original).clone()
  const { status, statusText, headers } = root
  const copy = new Response(null, { status, statusText, headers })
  const cloned = newObservation(exchange, isStream, root)
  cloned.served = served
  Object.setPrototypeOf(copy, clonePrototype())
  observations.set(copy, cloned)
  return copy
}

let ofClones: object | undefined

/** What a Response made here cannot be given: the address it came from. */
function clonePrototype(): object {
  if (ofClones) return ofClones
  ofClones = Object.create(watchingPrototype(Response.prototype)) as object
  for (const name of ['url', 'type', 'redirected'] as const) {
    Object.defineProperty(ofClones, name, {
      configurable: true,
      get(this: Response) {
        return observations.get(this)!.root![name]
      },
    })
  }
  return ofClones
}

function method(owner: object, name: string, value: (this: Response) => unknown): void {
  Object.defineProperty(value, 'name', { value: name })
  Object.defineProperty(owner, name, { value, writable: true, configurable: true })
}

/** Reads a property as `base` has it, whatever stands in front of it later. */
function getterOf<T>(base: object, name: string): (this: Response) => T {
  for (let at: object | null = base; at; at = Object.getPrototypeOf(at)) {
    const descriptor = Object.getOwnPropertyDescriptor(at, name)
    if (descriptor?.get) return descriptor.get as (this: Response) => T
    if (descriptor) return () => descriptor.value as T
  }
  return () => undefined as T
}
