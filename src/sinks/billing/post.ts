// Requests to a billing service: past every patch of `fetch`, for no tenant, and bounded in time and size.

import { expected, MeterError } from '../../errors.ts'
import { runAsNobody } from '../../tenant.ts'
import { waitOf } from '../http-answer.ts'
import type { Delivery } from '../sink.ts'

export interface Answer {
  readonly status: number
  /** Parsed; `undefined` for anything but JSON. */
  readonly body: unknown
  readonly afterMs?: number | undefined
}

export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

export interface Client {
  /** Throws only where no answer came. */
  ask(ask: Ask): Promise<Answer>
  close(): Promise<void>
}

const TIMEOUT_MS = 15_000
const MAX_ANSWER_BYTES = 1024 * 1024

export function createClient(connections: number): Client {
  type Undici = typeof import('undici')
  let opened: Promise<{ readonly request: Undici['request']; readonly agent: import('undici').Agent }> | undefined

  async function open() {
    const { Agent, request } = await import('undici')
    return { request, agent: new Agent({ connections, keepAliveTimeout: 30_000 }) }
  }

  return {
    ask: ({ method, url, headers, body, signal }) =>
      runAsNobody(async () => {
        const { request, agent } = await (opened ??= open())
        const answer = await request(url, {
          method,
          headers: { 'user-agent': 'tallygate', ...headers },
          ...(body !== undefined && { body }),
          dispatcher: agent,
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        })
        const wait = answer.headers['retry-after']
        const afterMs = waitOf(Array.isArray(wait) ? wait[0] : wait, Date.now())
        return { status: answer.statusCode, body: await readJson(answer.body), afterMs }
      }),
    async close() {
      const closing = opened
      opened = undefined
      await (await closing)?.agent.destroy()
    },
  }
}

async function readJson(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size <= MAX_ANSWER_BYTES) chunks.push(chunk)
  }
  try {
    return size > MAX_ANSWER_BYTES ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}

/** Waiting may help: 409 is another request under way with the same key. */
export function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 425 || status === 429
}

/** What an answer means that says nothing of a single event: later, or when a person has changed something. */
export function failureOf(name: string, { status, afterMs }: Answer): Delivery {
  const message = `${name} answered ${status}`
  if (isPassing(status))
    return { outcome: 'retry', error: new Error(message), ...(afterMs === undefined ? {} : { afterMs }) }
  const hint = status === 401 || status === 403 ? ': the API key was refused' : ''
  return { outcome: 'paused', error: new MeterError('DELIVERY_REJECTED', message + hint) }
}

export function unreachable(name: string, cause: unknown): Delivery {
  const code = (cause as { code?: unknown } | null)?.code
  const reason = typeof code === 'string' ? code : cause instanceof Error ? cause.name : typeof cause
  return { outcome: 'retry', error: new Error(`${name} could not be reached (${reason})`, { cause }) }
}

/** The key itself must not stand in a message that ends up in a log. */
export function checkKey(value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) return value
  throw new MeterError('BAD_OPTION', 'Expected `apiKey` to be a string of visible ASCII characters.')
}

/** Without a slash at its end. */
export function checkBaseUrl(name: string, value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new MeterError('BAD_OPTION', expected(name, 'an http or https address', value))
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

/** A code of theirs that a reason may quote; their sentences can quote events. */
export function codeIn(value: unknown): string | undefined {
  return typeof value === 'string' && /^[a-z0-9_.-]{1,64}$/i.test(value) ? value : undefined
}
