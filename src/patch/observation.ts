// What is known of a Response under observation: who reads it, and what is read in its place once its body is tapped.

import type { Exchange } from './exchange.ts'
import { endWhenForgotten } from './forgotten.ts'
import { createNotes } from './notes.ts'
import { tap } from './tap.ts'

export type Body = ReadableStream<Uint8Array>

/** A Response as it was before we stood in front of it. */
export interface Original {
  readonly bodyOf: (this: Response) => Body | null
  readonly prototype: object
}

export interface Observation {
  readonly exchange: Exchange
  readonly isStream: boolean
  /** The Response that a clone was made of: its address is the clone's. */
  readonly root: Response | undefined
  /** Who reads the body itself: nobody so far, a method of the Response, or the SDK. */
  reader: 'nobody' | 'itself' | 'sdk'
  /** True while the SDK takes the body itself, whose chunks are watched after it parsed them. */
  isHandingOver: boolean
  /** The body as the caller gets it, made when first looked at. */
  tapped: Body | undefined
  /** Reads the tapped body with every method of a Response. */
  served: Response | undefined
}

export const observations = createNotes<Observation>()

export function newObservation(exchange: Exchange, isStream: boolean, root?: Response): Observation {
  return { exchange, isStream, root, reader: 'nobody', isHandingOver: false, tapped: undefined, served: undefined }
}

/** Whether the body, if anybody reads it, is read through the tap. */
export function isTapped({ isStream, reader, tapped, served }: Observation): boolean {
  // A clone has no tapped body of its own: it is served from the start.
  return reader === 'nobody' && (isStream || tapped !== undefined || served !== undefined)
}

/** The tapped body; nothing is read before the caller reads it: SDKs look at `response.body` for their debug log. */
export function tappedBody(response: Response, observation: Observation, { bodyOf }: Original): Body | null {
  const { served, tapped } = observation
  if (served) return served.body
  if (tapped) return tapped
  const body = bodyOf.call(response)
  if (!body || typeof body.getReader !== 'function') return body
  if (!observation.isStream) endWhenForgotten(response, observation.exchange)
  observation.tapped = tap(() => bodyOf.call(response)!, observation.exchange, observation.isStream)
  return observation.tapped
}

/** What reads the tapped body in the Response's place: each of its methods does, and fails, as the Response's own would. */
export function servedBy(response: Response, observation: Observation, original: Original): Response {
  if (observation.served) return observation.served
  const body = tappedBody(response, observation, original)
  if (!body || body.locked || isDisturbed(body)) return body ? used() : response
  const served = new Response(body, { headers: response.headers })
  // The methods of a class of its own may look at more of it than its body.
  if (original.prototype !== Response.prototype) Object.setPrototypeOf(served, original.prototype)
  observation.served = served
  return served
}

/** Fails as one does whose body is taken, in this Node's own words. */
function used(): Response {
  const response = new Response('')
  response.body?.getReader()
  return response
}

/** Nobody has begun to read it. */
export function isFree(observation: Observation): boolean {
  return observation.reader === 'nobody' && !observation.tapped?.locked && !isBodyUsed(observation)
}

export function isBodyUsed({ served, tapped }: Observation): boolean {
  return served ? served.bodyUsed : tapped !== undefined && isDisturbed(tapped)
}

/** Read from, if only in part. Not imported: node:stream takes 2 ms of CPU to load. */
function isDisturbed(body: Body): boolean {
  return process.getBuiltinModule('node:stream').Readable.isDisturbed(body as unknown as NodeJS.ReadableStream)
}
