// The contract of a provider: what its wire says, as data beside a few small functions.

import type { TagValue } from '../event.ts'
import type { Usage } from '../usage.ts'

export type Json = Record<string, unknown>

/** What a request says of itself before it is sent. */
export interface RequestFacts {
  readonly model: string
  readonly stream: boolean
  /** The most output tokens that the request allows, all choices together; absent where it sets no cap. */
  readonly maxOutputTokens?: number | undefined
  /** Numbers and switches only. */
  readonly metadata?: Readonly<Record<string, TagValue>> | undefined
}

/** What an answer said. Every field is what the provider wrote; nothing is made up. */
export interface Reading {
  readonly model?: string | undefined
  readonly responseId?: string | undefined
  readonly serviceTier?: string | undefined
  readonly finishReason?: string | undefined
  readonly upstreamProvider?: string | undefined
  /** Absent where the answer has no usage. */
  readonly usage?: Usage | undefined
  /** What cannot be right in the provider's own numbers: kind and field. */
  readonly flags?: readonly string[] | undefined
  /** The provider's totals as they came, where `flags` says that they cannot all be right. */
  readonly reported?: Readonly<Record<string, number>> | undefined
  /** Only these were reported; the rest broke off before it could be. Absent when `usage` is whole. */
  readonly isPartial?: boolean
  /** The answer is still being made; its usage comes later, elsewhere. */
  readonly isPending?: boolean
  /** An error that arrived inside the body or the stream, as a short code. */
  readonly error?: string | undefined
}

/** Adds up one stream. */
export interface StreamReader {
  /** Takes a parsed event: gives what the caller shall see of it, or `HIDE`. */
  take(event: Json): unknown
  reading(): Reading
  /** The text generated so far, for an estimate when the stream breaks off; let go with the reader. */
  generated(): readonly string[]
}

/** In place of an event that the caller did not ask for. */
export const HIDE: unique symbol = Symbol('hide')

/** One billable endpoint of a wire. */
export interface Route {
  readonly endpoint: string
  /** Matches the end of a path: `/chat/completions`. */
  readonly path: RegExp
  request(body: Json, path: string, stream: boolean): RequestFacts
  /** The top-level fields that `request` looks at, for an SDK that hands over encoded JSON; all of them when left out. */
  readonly requestFields?: readonly string[]
  /** The encoded body to send so that usage comes back, or `undefined` where nothing is to be added. */
  prepare?(text: string, host: string): string | undefined
  /** The top-level fields of the JSON answer that `read` looks at. */
  readonly fields: readonly string[]
  /** Fields that `read` takes as JSON text too: they hold the content, which is not parsed a second time. */
  readonly textFields?: readonly string[]
  read(answer: Json): Reading
  /** Answers of this endpoint may come without usage, and nothing is wrong then. */
  readonly isUsageOptional?: boolean
  /** `isPrepared`: `prepare` added something, so hide what it brings. */
  readStream?(isPrepared: boolean): StreamReader
  /** Every text of a JSON answer that the model made, for an estimate where the usage is missing. */
  generated(answer: Json): Iterable<string>
  /** Every text of the request that the provider counts as input, for estimates and ceilings. */
  prompt(body: Json): Iterable<string>
}

/** One wire and the hosts known to speak it. */
export interface Provider {
  readonly name: string
  /** The SDK that speaks this wire. */
  readonly sdk: 'openai' | 'anthropic' | 'google'
  /** Hosts whose calls are this provider's; others are recorded under their own name. */
  readonly hosts: RegExp
  readonly routes: readonly Route[]
}
