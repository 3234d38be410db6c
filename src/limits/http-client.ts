// Sends the questions of a limit store over HTTP, and tells what came back apart from what did not.

import { MeterError } from '../errors.ts'
import { runAsNobody } from '../tenant.ts'
import { LEASES_VERSION, type Question } from './http-wire.ts'

export interface LeasesClientOptions {
  /** `url` without its `/v1/ingest`. */
  readonly baseUrl: string
  readonly apiKey?: string | undefined
}

export interface Reply {
  readonly status: number
  /** The JSON of an answer as docs/wire.md says; `undefined` for any other. */
  readonly body: unknown
}

export interface LeasesClient {
  /**
   * The question for all limits, asked with GET: an address that knows no leases must not take it for events, as one
   * that takes every POST for a batch would. Otherwise as `exchange`.
   */
  greet(): Promise<Reply>
  /** Whatever was answered. Throws MeterError `LIMIT_STORE_DOWN` where nobody did. */
  exchange(question: Question): Promise<Reply>
  /** What a store answered, as `read` takes it; throws MeterError for any other answer. */
  ask<T>(question: Question, read: (body: unknown) => T): Promise<T>
  close(): Promise<void>
}

/** Until the first byte of an answer, and between two: whoever asks has given up long before. */
const SILENCE_MS = 3000
const CONNECTIONS = 8
/** A hundred thousand limits are a fifth of it. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
const TOKEN = /^[\x21-\x7e]+$/
/** A connection that was kept open, and closed by the other end in the moment in which it was used. */
const STALE = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']

export function createLeasesClient({ baseUrl, apiKey }: LeasesClientOptions): LeasesClient {
  if (apiKey !== undefined && !(typeof apiKey === 'string' && TOKEN.test(apiKey)))
    throw new MeterError('BAD_OPTION', 'Expected `apiKey` to be a string of visible ASCII characters.')
  // For messages: a URL can carry a password.
  const address = new URL(baseUrl).origin + new URL(baseUrl).pathname.replace(/\/$/, '')
  let client: ReturnType<typeof openClient> | undefined

  async function send(body: string | undefined): Promise<Reply> {
    const { request, agent } = await (client ??= openClient())
    const { statusCode, body: answer } = await request(`${baseUrl}/v1/leases`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        'user-agent': 'tallygate',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: body ?? null,
      dispatcher: agent,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    })
    if (statusCode === 200) return { status: statusCode, body: await answerIn(answer) }
    await answer.dump()
    return { status: statusCode, body: undefined }
  }

  const exchange = (question: Question) => sendTwice(JSON.stringify({ version: LEASES_VERSION, ...question }))

  async function sendTwice(body?: string): Promise<Reply> {
    try {
      // Whatever is asked twice is done once.
      return await send(body).catch((cause: unknown) => {
        if (STALE.includes(codeOf(cause))) return send(body)
        throw cause
      })
    } catch (cause) {
      throw fault(`could not be reached (${codeOf(cause)})`, cause)
    }
  }

  function fault(said: string, cause?: unknown): MeterError {
    return new MeterError('LIMIT_STORE_DOWN', `The limit store at ${address} ${said}.`, { cause })
  }

  return {
    greet: () => runAsNobody(() => sendTwice()),
    exchange: (question) => runAsNobody(() => exchange(question)),
    async ask(question, read) {
      const { status, body } = await runAsNobody(() => exchange(question))
      if (status !== 200) {
        const hint = status === 401 || status === 403 ? ': the API key was refused' : ''
        throw fault(`answered with status ${status}${hint}`)
      }
      try {
        return read(body)
      } catch (cause) {
        throw fault('answered with something that is no answer of a limit store', cause)
      }
    },
    async close() {
      const opened = client
      client = undefined
      await (await opened)?.agent.destroy()
    },
  }
}

/** Never `fetch` and never the global dispatcher: both may be patched, by us too. */
async function openClient() {
  const { Agent, request } = await import('undici')
  return { request, agent: new Agent({ connections: CONNECTIONS, connect: { timeout: SILENCE_MS } }) }
}

async function answerIn(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    const value = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { version?: unknown } | null
    return value?.version === LEASES_VERSION ? value : undefined
  } catch {
    return undefined
  }
}

function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : cause instanceof Error ? cause.name : typeof cause
}
