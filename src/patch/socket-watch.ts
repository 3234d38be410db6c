// Which connections of openai are watched, and by which patch.

import type { Observer } from './exchange.ts'
import { createNotes } from './notes.ts'
import type { Line } from './socket-line.ts'

/** What the SDK's classes have for each connection. */
export interface Connection {
  readonly url?: unknown
  readonly socket?: Transport
  close(props?: { code: number; reason: string }): void
  _onError(event: null, message: string, cause: unknown): void
}

/** The connection itself: of the package `ws`, the SDK's adapter of that, or the platform's own. */
export interface Transport {
  on?(event: 'close', listener: () => void): unknown
  addEventListener?(event: 'close', listener: () => void): void
}

export interface Watched {
  readonly line: Line
  /** The patch that watches it: of a connection of its own and its class, only one may. */
  readonly place: Place
  /** The latest that was told. */
  refusal: unknown
  /** It was refused and closed: what the SDK says of its closing is no news. */
  isSilent: boolean
  /** The application closes it. */
  isLeaving: boolean
}

/** Where a patch stands: on an emitter below all classes, or on one connection. */
export interface Place {
  readonly observer: () => Observer | undefined
  readonly undos: (() => void)[]
  readonly lines: Set<Line>
  /** Set where only this one is watched. */
  readonly only?: object
  isActive: boolean
}

export const connections = createNotes<Watched>()

/** The connection, where this patch is the one that watches it. */
export function watchedBy(place: Place, connection: object): Watched | undefined {
  const watched = place.isActive ? connections.get(connection) : undefined
  return watched?.place === place ? watched : undefined
}

/** Runs our part of what the SDK does: no fault of it may reach the SDK. */
export function quietly({ observer }: Place, fn: () => void): void {
  try {
    fn()
  } catch (cause) {
    observer()?.problem('A message on a connection of openai could not be looked at.', cause)
  }
}
