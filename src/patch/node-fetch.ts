// The body of a Response of node-fetch 2, which openai 4 and @anthropic-ai/sdk up to 0.39 bring: a Node stream.
//
// Seam: the symbol described as `Body internals`, whose `body` every method of the Response reads (node-fetch 2.6 to 2.7).
// A getter in front of the Response is not enough: node-fetch ends a broken or aborted body through `response.body`.

import type { PassThrough, Readable } from 'node:stream'
import { type Exchange, endOf } from './exchange.ts'
import { endWhenForgotten } from './forgotten.ts'
import { endingOf } from './refusal.ts'
import type { HandedOver } from './stream.ts'
import { type Through, throughOf } from './tap.ts'

interface Internals {
  body: Readable
}

interface Tapped {
  readonly stream: PassThrough
  readonly exchange: Exchange
  /** Leaves the body to the SDK, whose chunks are watched after it parsed them; false when it is being read. */
  untap(): boolean
  /** Keeps in memory what the caller may still read. */
  readAll(): Promise<void>
}

const tappedResponses = new WeakMap<object, Tapped>()

/** The stream behind a Response of node-fetch, for the SDK to read and parse untapped. */
export function handOverNodeFetch(response: object): HandedOver | undefined {
  const tapped = tappedResponses.get(response)
  return tapped && { exchange: tapped.exchange, claim: () => tapped.untap(), duringFirstStep: (step) => step() }
}

/** Puts the watched body into the Response, whoever reads it; false for a Response of another make. */
export function tapNodeFetch(response: Response, exchange: Exchange, isStream: boolean): boolean {
  // None of another make has a `size`, which every one of these has (2.6 to 3.3); the symbols of each answer take longer.
  if ((response as { size?: unknown }).size === undefined) return false
  const symbol = Object.getOwnPropertySymbols(response).find((own) => own.description === 'Body internals')
  const internals = symbol && (response as unknown as Record<symbol, Internals>)[symbol]
  if (typeof internals?.body?.pipe !== 'function') return false
  if (tappedResponses.has(response)) return true
  const tapped = tapReadable(internals, exchange, isStream)
  tappedResponses.set(response, tapped)
  internals.body = tapped.stream
  if (isStream || exchange.form === 'lines') endWhenForgotten(response, exchange)
  else exchange.unread(tapped.readAll)
  return true
}

/** The same bytes, less what is hidden; nothing is read of the body before somebody reads the stream given. */
function tapReadable(internals: Internals, exchange: Exchange, isStream: boolean): Tapped {
  const { PassThrough } = process.getBuiltinModule('node:stream')
  const raw = internals.body
  let through: Through | undefined
  let isUnbounded = false
  const stream: PassThrough = new PassThrough({
    // What the caller has not asked for is not read either: a stream that it leaves is billed as far as it was read.
    readableHighWaterMark: 0,
    destroy(error, done) {
      if (error) exchange.end(endOf(error), error)
      else exchange.end('stopped')
      // node-fetch listens to the errors of its own stream.
      raw.destroy(error ?? undefined)
      done(error)
    },
  })

  function start(): Through {
    if (through) return through
    const reading = throughOf(exchange, isStream)
    through = reading
    exchange.isBeingRead = true
    raw.on('data', (bytes: Uint8Array) => {
      const shown = reading.push(bytes)
      const ending = endingOf(exchange)
      if (ending) {
        exchange.end('stopped')
        stream.destroy(ending)
      } else if (shown.byteLength > 0 && !stream.push(shown) && !isUnbounded) raw.pause()
    })
    raw.once('end', () => {
      const rest = reading.end()
      if (rest.byteLength > 0) stream.push(rest)
      stream.end()
    })
    raw.once('error', (error) => {
      const rest = reading.rest()
      if (rest.byteLength > 0) stream.push(rest)
      stream.destroy(error)
    })
    return reading
  }

  stream._read = () => {
    start()
    if (raw.isPaused()) raw.resume()
  }
  // An abort is told as an event: node-fetch emits it on the stream without ending it.
  stream.once('error', (error: Error) => {
    exchange.end(endOf(error), error)
    raw.destroy()
  })

  return {
    stream,
    exchange,
    untap() {
      if (through || stream.destroyed || exchange.hasEnded) return false
      internals.body = raw
      return true
    },
    readAll: () =>
      new Promise<void>((resolve) => {
        isUnbounded = true
        if (exchange.hasEnded || raw.destroyed) return resolve()
        raw.once('close', resolve).once('end', resolve)
        start()
        raw.resume()
      }),
  }
}
