// The contract of a provider: what its wire says, as data beside a few small functions.

import type { LLMEvent, TagValue } from '../event.ts'
import type { Usage } from '../usage.ts'

export type Json = Record<string, unknown>

/** The model of a request that names none: of a job, of an assistant. */
export const UNKNOWN_MODEL = 'unknown'

/** What a request says of itself before it is sent. */
export interface RequestFacts {
  readonly model: string
  readonly stream: boolean
  /** The most output tokens that the request allows, all choices together; absent where it sets no cap. */
  readonly maxOutputTokens?: number | undefined
  /** Numbers and switches only. */
  readonly metadata?: Readonly<Record<string, TagValue>> | undefined
}

/** What a route may ask of the request while it reads the answer: some answers say nothing of what they cost. */
export interface Asked {
  readonly facts: RequestFacts
  /** As `ExchangeRequest.path`. */
  readonly path: string
  /** The fields of the request's body; those of a form as text; empty where it had none. */
  body(): Json
}

/** Figures of an event that are neither buckets nor totals of them. */
export type Figures = Pick<
  LLMEvent,
  | 'cacheMissTokens'
  | 'inputTextTokens'
  | 'cachedInputTextTokens'
  | 'inputImageTokens'
  | 'cachedInputImageTokens'
  | 'outputImageTokens'
  | 'imageCount'
  | 'characterCount'
  | 'durationSeconds'
  | 'durationUnavailable'
  | 'inputTokensDetails'
>

/** Work that goes on after its call was answered: a response in the background, a video, a batch. */
export interface Job {
  /** The provider's id of it. */
  readonly id: string
  /**
   * `open`: still being made. `over`: the reading that this stands in is what it came to. `split`: what it comes to is
   * told call by call, as `JobResult`s.
   */
  readonly state: 'open' | 'over' | 'split'
  /** What is being made is text of a length that can be estimated, should nobody ever ask what became of it. */
  readonly isText?: boolean
  /** Other ids that lead to it: the file that has a batch's results. */
  readonly aliases?: readonly string[]
  /** Of what is `over`: its usage, where only the request that started it says how much of it there is. */
  cameTo?(started: RequestFacts): CameTo
}

export interface CameTo extends Pick<Reading, 'usage' | 'figures' | 'flags' | 'variant'> {
  /** The request left it to the provider, whose documentation says what it does then. */
  readonly isEstimated?: boolean
}

/** One call that was made within a job: a line of a batch's results. */
export interface JobResult {
  /** The job, by its id or an alias: who started it pays. */
  readonly job: string
  /** The provider's own id of this call, unlike any other: what makes it count once, however often it is read. */
  readonly id: string
  readonly endpoint: string
  readonly modelRequested?: string | undefined
  readonly reading: Reading
}

/** What an answer said. Every field is what the provider wrote; nothing is made up. */
export interface Reading {
  readonly model?: string | undefined
  readonly responseId?: string | undefined
  readonly serviceTier?: string | undefined
  /** Where it was processed, where that is part of the price: `us`, `eu`. */
  readonly geo?: string | undefined
  /** What a piece is priced by beside its count: size and quality of an image (`1024x1536/high`), resolution of a video (`720p`). */
  readonly variant?: string | undefined
  readonly finishReason?: string | undefined
  readonly upstreamProvider?: string | undefined
  /** What the provider itself charges, in exact decimal dollars: it wins over the price book. */
  readonly costUsd?: string | undefined
  /** What other models used within the same call, billed at their own prices; no part of `usage`. */
  readonly others?: readonly { readonly model: string; readonly usage: Usage }[] | undefined
  readonly figures?: Figures | undefined
  /** Numbers and switches of the answer, beside those of the request: the size of the images that were made. */
  readonly metadata?: Readonly<Record<string, TagValue>> | undefined
  /** Absent where the answer has no usage. */
  readonly usage?: Usage | undefined
  /** What cannot be right in the provider's own numbers: kind and field. */
  readonly flags?: readonly string[] | undefined
  /** The provider's totals as they came, where `flags` says that they cannot all be right; and its numbers that have no bucket. */
  readonly reported?: Readonly<Record<string, number>> | undefined
  /** Only these were reported; the rest broke off before it could be. Absent when `usage` is whole. */
  readonly isPartial?: boolean
  /** The answer is still being made, or tells of what was made elsewhere. */
  readonly job?: Job | undefined
  /** The calls of a job that this answer tells of. */
  readonly results?: readonly JobResult[] | undefined
  /** Of a list: what it tells of each job in it. Only those whose start is known count: a list goes back for years. */
  readonly listed?: readonly Reading[] | undefined
  /** An error that arrived inside the body or the stream, as a short code. */
  readonly error?: string | undefined
}

/** Adds up one stream. */
export interface StreamReader {
  /** Takes a parsed event: gives what the caller shall see of it, or `HIDE`. */
  take(event: Json): unknown
  /** Results that have come since this was last asked, of a stream that may go on for hours; no part of `reading` then. */
  news?(): readonly JobResult[]
  reading(): Reading
  /** The text generated so far, for an estimate when the stream breaks off; let go with the reader. */
  generated(): readonly string[]
}

/** How a limit can keep the output of a request short. */
export interface OutputControl {
  /** The fields of the request that cap it, by their paths: `generationConfig.maxOutputTokens`. */
  readonly capFields: readonly string[]
  /** Which of them a request gets that has none; default: the first. */
  capField?(provider: string): string
  /** Another cap would make the provider refuse this request. */
  isCapFixed?(body: Json): boolean
  /** A stream shows all the output that is billed: no thoughts that are kept back, so that it can be paid for as it comes. */
  isSeen?(body: Json, facts: RequestFacts, provider: string): boolean
}

/** In place of an event that the caller did not ask for. */
export const HIDE: unique symbol = Symbol('hide')

/** One billable endpoint of a wire. */
export interface Route {
  readonly endpoint: string
  /** Default `post`. `socket`: a response on a WebSocket, whose `path` is that of the connection. */
  readonly method?: 'get' | 'post' | 'patch' | 'socket'
  /** Matches the end of a path: `/chat/completions`. */
  readonly path: RegExp
  /** Nothing is billed for this request: it only tells of jobs that others started. No event of its own, no limit. */
  readonly isFollowUp?: boolean
  request(body: Json, path: string, stream: boolean): RequestFacts
  /** The top-level fields that `request` looks at, for an SDK that hands over encoded JSON; all of them when left out. */
  readonly requestFields?: readonly string[]
  /** Absent where the output is to be left as it is asked for. */
  readonly output?: OutputControl | undefined
  /** The encoded body to send so that usage comes back, or `undefined` where nothing is to be added. `body` is what it was made of. */
  prepare?(text: string, request: { readonly body: unknown }): string | undefined
  /** The top-level fields of the JSON answer that `read` looks at; `all` where only it knows. */
  readonly fields: readonly string[] | 'all'
  /** Fields that `read` takes as JSON text too: they hold the content, which is not parsed a second time. */
  readonly textFields?: readonly string[]
  read(answer: Json, asked: Asked): Reading
  /** For an answer that is no JSON, such as sound or subtitles: what the request says of its cost. */
  readUnseen?(asked: Asked): Reading
  /** For an answer of one JSON object a line, where it is one of these: `undefined` for a line that was not billed. */
  readLine?(line: Json, asked: Asked): JobResult | undefined
  /** Answers of this endpoint may come without usage, and nothing is wrong then. */
  readonly isUsageOptional?: boolean
  /** What goes in or comes out is no text: where its usage is missing, nothing is estimated. */
  readonly isTextless?: boolean
  /** `isPrepared`: `prepare` added something, so hide what it brings. */
  readStream?(isPrepared: boolean, asked: Asked): StreamReader
  /** Every text of a JSON answer that the model made, for an estimate where the usage is missing. */
  generated(answer: Json): Iterable<string>
  /** What stands around the gap that the model is to fill, of a fill-in-the-middle request. */
  fim?(body: Json): { readonly prefix: unknown; readonly suffix: unknown }
  /** Every text of the request that the provider counts as input, for estimates and ceilings. */
  prompt(body: Json): Iterable<string>
}

/** One wire and the hosts known to speak it. */
export interface Provider {
  readonly name: string
  /** Whose SDK speaks it; `own`: none of those, so its calls are only seen by host. */
  readonly wire: 'openai' | 'anthropic' | 'google' | 'own'
  /** Hosts whose calls are this provider's; others are recorded under their own name. */
  readonly hosts: RegExp
  readonly routes: readonly Route[]
}
