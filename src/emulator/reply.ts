// What a script may say of the next answer.

import type { Round } from './round.ts'
import type { HostName, ProviderName, ReceivedRequest } from './wire.ts'

/**
 * Which requests a reply is for. `path` matches the end of the request's path, as text, or any of it, as a pattern.
 *
 * @example
 * emulator.reply({ status: 503, match: { provider: 'openai', path: '/embeddings' } })
 * emulator.reply({ text: 'Hi', match: (request) => request.headers['x-tenant'] === 'acme' })
 */
export type Match =
  | { readonly provider?: ProviderName | HostName; readonly path?: string | RegExp }
  | ((request: ReceivedRequest) => boolean)

/**
 * A function that the model asks the application to run.
 *
 * @example
 * emulator.reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
 */
export interface ToolCall {
  readonly name: string
  readonly args?: Readonly<Record<string, unknown>>
  readonly id?: string
}

/**
 * How one request is to be answered; what is left out is answered as by default.
 *
 * @example
 * emulator.reply(
 *   { status: 429, headers: { 'retry-after': '0' } },
 *   { toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] },
 *   { text: 'It rains.', cachedTokens: 1024, match: { provider: 'openai' } },
 *   { text: 'This one breaks off.', cutAfterEvents: 3 },
 * )
 */
export interface Reply {
  /** Default: any request. */
  readonly match?: Match
  /** How many requests it answers: default 1; `Infinity` for all that match from here on. */
  readonly times?: number

  /** The answer's text. Default: a text that depends on the request alone. */
  readonly text?: string
  readonly toolCalls?: readonly ToolCall[]
  /** The model that the answer names; default: the one asked for. */
  readonly model?: string
  /** The tier that the answer names, in the provider's own word. */
  readonly serviceTier?: string

  // Counts: reported to the client and charged on the bill.

  /** All input, cached and audio included. Default: counted from the request, with the four below on top. */
  readonly inputTokens?: number
  readonly cachedTokens?: number
  /** Written to the cache, with its shortest lifetime. */
  readonly cacheWriteTokens?: number
  /** Written to Anthropic's one-hour cache. */
  readonly cacheWrite1hTokens?: number
  readonly audioInputTokens?: number
  /** Input that a tool of the provider's own brought in: Google counts it apart, the others within the input. */
  readonly toolUseTokens?: number
  /** All output, reasoning included. Default: counted from the answer, with `reasoningTokens` on top. */
  readonly outputTokens?: number
  readonly reasoningTokens?: number
  /** Searches of the web that the provider charges for: OpenAI Responses, Anthropic, Google. */
  readonly webSearches?: number
  /** Google: the answer was grounded in its maps. */
  readonly mapsSearches?: number
  /** Anthropic: told in `usage.iterations`, and charged, also in a request that names no beta. */
  readonly rounds?: readonly Round[]
  /** Google's interactions: made in part, to be gone on with by another request. */
  readonly continues?: boolean
  /** Calls of OpenAI Responses' file search. */
  readonly fileSearches?: number
  /** Containers in which OpenAI Responses runs code. */
  readonly codeSessions?: number
  /** Images made: by a tool of OpenAI Responses, or in place of the `n` of a request for images. */
  readonly images?: number
  /** Of all of them; default: 1056 each. */
  readonly imageOutputTokens?: number
  readonly imageInputTokens?: number
  /** Of the images that went in. */
  readonly cachedImageTokens?: number
  /** Sound that is said on a WebSocket. */
  readonly audioOutputTokens?: number
  /** Of the sound that went in. */
  readonly cachedAudioTokens?: number
  /** Length of the sound that came in, or of the video that is made. */
  readonly seconds?: number

  // Untruths: reported to the client, while the bill keeps to what was counted.

  /** In place of the usage object: any JSON, or a function of the true one. */
  readonly usage?: unknown
  readonly omitUsage?: boolean

  // Faults.

  /** From 400 on: the provider's own error body. Nothing is charged for it. */
  readonly status?: number
  readonly errorMessage?: string
  readonly errorCode?: string
  /** A raw body in place of the answer: an HTML page, an empty text. Nothing is charged for it. */
  readonly body?: string
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Before the headers. A client that leaves meanwhile is not charged. */
  readonly delayMs?: number
  /** Between the events of a stream. Default: as fast as the client reads. */
  readonly msBetweenEvents?: number
  /** Never answers. */
  readonly hang?: boolean
  /** Closes the connection without a word. */
  readonly hangUp?: boolean
  /** Sends the headers and half of the body, then nothing, and leaves the connection open. */
  readonly stallBody?: boolean
  readonly stallAfterEvents?: number
  /** Sends the headers and half of the body, then breaks the connection. */
  readonly cutBody?: boolean
  readonly cutAfterEvents?: number
  /** Ends the stream with the provider's own error of `status`, default: overloaded; charged up to there. */
  readonly errorAfterEvents?: number
  /** A line put into a stream after its first event: `data: {"oops`. */
  readonly malformedLine?: string
  /** Ends the JSON body in its middle, as if it were whole. */
  readonly truncateJson?: boolean
  /** Makes the answer this long: with an unknown first field in JSON, with comment lines in a stream. */
  readonly padToBytes?: number
  /** Writes the body in pieces of so many bytes, so that they part characters and lines. */
  readonly splitBytes?: number
}

const COUNTS = [
  'inputTokens',
  'cachedTokens',
  'cacheWriteTokens',
  'cacheWrite1hTokens',
  'audioInputTokens',
  'toolUseTokens',
  'outputTokens',
  'reasoningTokens',
  'webSearches',
  'mapsSearches',
  'fileSearches',
  'codeSessions',
  'images',
  'imageOutputTokens',
  'imageInputTokens',
  'cachedImageTokens',
  'audioOutputTokens',
  'cachedAudioTokens',
  'seconds',
  'stallAfterEvents',
  'cutAfterEvents',
  'errorAfterEvents',
  'padToBytes',
] as const satisfies readonly (keyof Reply)[]

const OTHERS: readonly (keyof Reply)[] = [
  ...(['match', 'times', 'text', 'toolCalls', 'model', 'serviceTier', 'usage', 'omitUsage', 'status'] as const),
  ...(['errorMessage', 'errorCode', 'body', 'contentType', 'headers', 'delayMs', 'msBetweenEvents'] as const),
  ...([
    'hang',
    'hangUp',
    'stallBody',
    'cutBody',
    'malformedLine',
    'truncateJson',
    'splitBytes',
    'rounds',
    'continues',
  ] as const),
]
const KNOWN = new Set<string>([...COUNTS, ...OTHERS])

/** Throws a `TypeError` that names what is wrong: a script with a slip would only show as a test that means nothing. */
export function checkReply(reply: Reply): void {
  const wrong = (name: string, expectation: string, got: unknown): never => {
    throw new TypeError(`Expected \`${name}\` of a reply to be ${expectation}, got \`${String(got)}\`.`)
  }
  if (typeof reply !== 'object' || reply === null)
    throw new TypeError(`Expected a reply to be an object, got \`${String(reply)}\`.`)
  for (const name of Object.keys(reply)) {
    if (!KNOWN.has(name)) throw new TypeError(`A reply has no \`${name}\`.`)
  }
  for (const name of COUNTS) {
    const count = reply[name]
    if (count !== undefined && (!Number.isSafeInteger(count) || count < 0)) {
      wrong(name, 'a whole number from 0 on (for untrue numbers there is `usage`)', count)
    }
  }
  for (const name of ['delayMs', 'msBetweenEvents'] as const) {
    const time = reply[name]
    if (time !== undefined && !(time >= 0 && time <= 2 ** 31 - 1)) wrong(name, 'milliseconds from 0 on', time)
  }
  const { times, status, splitBytes, inputTokens, outputTokens, reasoningTokens = 0 } = reply
  if (times !== undefined && times !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(times) && times > 0)) {
    wrong('times', 'a whole number above 0, or `Infinity`', times)
  }
  if (status !== undefined && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
    wrong('status', 'a whole number from 200 to 599', status)
  }
  if (splitBytes !== undefined && !(Number.isSafeInteger(splitBytes) && splitBytes > 0)) {
    wrong('splitBytes', 'a whole number above 0', splitBytes)
  }
  const { cachedTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0, audioInputTokens = 0 } = reply
  const parts = cachedTokens + cacheWriteTokens + cacheWrite1hTokens + audioInputTokens
  if (inputTokens !== undefined && inputTokens < parts) {
    wrong('inputTokens', `at least its cached, written and audio parts, ${parts}`, inputTokens)
  }
  if (outputTokens !== undefined && outputTokens < reasoningTokens) {
    wrong('outputTokens', `at least its reasoning part, ${reasoningTokens}`, outputTokens)
  }
}
