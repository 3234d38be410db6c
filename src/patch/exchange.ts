// What a waist hands over, and what it asks back: the only thing that patch/ and the rest of tallygate share.

import type { MeterError } from '../errors.ts'

/** The SDKs that have a waist of their own; each speaks the wire of that name, groq-sdk that of openai. */
export type SdkName = 'openai' | 'anthropic' | 'google' | 'groq'

/** The wire that a client speaks; `any`: it is not known, and the host alone decides. */
export type WireName = 'openai' | 'anthropic' | 'google' | 'any'

/** What the body of an answer is. `lines`: a JSON object a line. `bytes`: anything that is not read. */
export type AnswerForm = 'json' | 'events' | 'lines' | 'bytes'

/** One call as it stands in the waist, before anything was sent. */
export interface ExchangeRequest {
  readonly wire: WireName
  /** Lower case; `socket` for a response on a WebSocket. */
  readonly method: string
  /** Host with port, as the client will dial it: `api.openai.com`, `127.0.0.1:4010`. */
  readonly host: string
  /** As the SDK gives it, without its query: `/chat/completions`, `models/gemini-3-pro:generateContent`. */
  readonly path: string
  /**
   * The caller's own object, never to be mutated; JSON text where the SDK has encoded it already; `undefined` where
   * only its encoding will say what it is (`toJSON`): then `encoded` comes before `admit`.
   */
  readonly body: unknown
  /** The caller asked for server-sent events. */
  readonly stream: boolean
  /** It is sent as it is: what `encoded` gives cannot be put in its place. */
  readonly isFixed?: boolean
  /** Its answer cannot be ended while it comes. */
  readonly isWhole?: boolean
}

/** How an exchange ended. `complete`: the answer was read to its end. `stopped`: the caller left the stream early. */
export type ExchangeEnd = 'complete' | 'stopped' | 'aborted' | 'failed' | 'unread'

/** How an exchange ended that broke with this error. */
export function endOf(error: unknown): ExchangeEnd {
  return (error as Error | null | undefined)?.name === 'AbortError' ? 'aborted' : 'failed'
}

/** What is known of one HTTP answer. Never text: only a status and an id. */
export interface AttemptResult {
  readonly status?: number | undefined
  readonly requestId?: string | undefined
  /** The answer's `content-type`, where the waist has one. */
  readonly contentType?: string | undefined
}

/** The request of an attempt, as seen from below the SDK. */
export interface Sent {
  state: 'sent' | 'answered' | 'failed'
  /** The SDK has been given the answer of another request. */
  isLeft: boolean
  /** What it has failed with, where that was no answer. */
  error: { readonly error: unknown } | undefined
}

/** In place of a chunk: the caller never asked for this one. */
export const HIDDEN: unique symbol = Symbol('hidden')

/**
 * One metered call, as seen from its waist. None of these ever throws but `admit`.
 * `end` is taken once; later ends are ignored, so a waist may report every end it sees.
 */
export interface Exchange {
  /** Who is asked, as the event will name it. */
  readonly provider: string
  readonly wire: WireName
  readonly host: string
  /** Whether a request to this address may be the one that the call is for. */
  isFor(url: string): boolean
  /** Seen from below, where somebody looks there; a new attempt has none. */
  sent: Sent | undefined
  /** What we would add to the request is in it already: it came through another call of ours. */
  isPrepared(): void
  /** Throws the refusal. Synchronous where it can be: a promise only when a store or the price book must be asked. */
  admit(): void | Promise<void>
  /** The request as the SDK has encoded it, for each attempt: gives the text to send in its place. */
  encoded(text: string): string
  /** A limit has lowered the cap of its output: only what `encoded` gives may be sent. */
  readonly isCapped: boolean
  /** A limit pays for the stream as it comes, and may end it. */
  readonly isPaidAsItComes: boolean
  /** What the stream is to be ended with in place of its next chunk: its limit has no money left. */
  readonly refusal: MeterError | undefined
  /** True when the provider refused what we added to the request, and it should be sent as it came. */
  retryWithout(status: unknown, message: unknown): boolean
  /** A request goes out: the first, or one more try of the SDK. */
  attempt(): void
  /** The attempt was answered with an error. */
  attemptFailed(result: AttemptResult): void
  /** The headers of the answer that counts have arrived. */
  answered(result: AttemptResult): void
  /** How the body is to be read: known once `answered` was called. */
  readonly form: AnswerForm
  /**
   * The answer waits to be read, and `read` reads it on its own account without taking it from the caller.
   * A promise that nobody awaits leaves its answer unread, billed all the same.
   */
  unread(read: () => Promise<void>): void
  /** The caller has begun to read the stream. One that is kept and not begun is given up in the end: see `end`. */
  isBeingRead: boolean
  /** Some of what the provider sends was not asked for by the caller: `chunk` tells which. */
  readonly isHiding: boolean
  /** One parsed server-sent event, or one line: what the caller shall get, or `HIDDEN`; the same after the exchange has ended. */
  chunk(data: unknown): unknown
  /** The parsed JSON answer; ends the exchange. */
  answer(json: unknown): void
  /** The JSON answer as text, for SDKs that parse by themselves; ends the exchange. */
  answerText(text: string): void
  /** An event or a body was not what its content type says. */
  malformed(): void
  end(how: ExchangeEnd, error?: unknown): void
  /** It is not made after all: nothing was sent, and nothing is recorded. */
  withdraw(): void
  readonly hasEnded: boolean
}

/** What stands behind the waists. None of its methods throws. */
export interface Observer {
  /** It sees calls only while no other observer does. */
  readonly isStandIn?: boolean
  /** Notes in whose name the running code calls, or that it goes on in that of `earlier`; must run before anything is awaited. */
  capture(earlier?: unknown): unknown
  /** Whether models are served there: what goes anywhere else is not looked at. */
  knowsHost(host: string): boolean
  /** Before a connection that may lead to calls: throws the refusal where no call of theirs might be made. Nothing is held. */
  ask?(captured: unknown, place: Pick<ExchangeRequest, 'wire' | 'host' | 'path'>): void | Promise<void>
  /** Decides on a call: `undefined` lets it pass unmetered. */
  begin(captured: unknown, request: ExchangeRequest): Exchange | undefined
  /** Runs `fn` in the name that was captured: for SDK loops that go on in whoever's context reads them. */
  resume<T>(captured: unknown, fn: () => T): T
  /** The waist found something that it does not understand. */
  problem(message: string, cause?: unknown): void
}
