// Sends batches to an ingest endpoint. The contract is docs/wire.md.

import { expected, MeterError } from '../errors.ts'
import { runAsNobody } from '../tenant.ts'
import { deliveryOf } from './http-answer.ts'
import { encodeBatch, pack } from './http-body.ts'
import type { MeterReport } from './meter-report.ts'
import { type Batch, type Delivery, isEmpty, type Sink } from './sink.ts'

export interface HttpSinkOptions {
  /** The ingest endpoint: `https://api.example.com/v1/ingest`. */
  readonly url: string
  /** Sent as `Authorization: Bearer`; left out for an endpoint that asks for none. */
  readonly apiKey?: string | undefined
  /** Compresses bodies; true. */
  readonly gzip?: boolean | undefined
  /** Further headers, for a gateway on the way. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The longest that a request may take; 15000. */
  readonly timeoutMs?: number | undefined
}

// Above what an answer with a reason for each of 10,000 events takes; an endpoint that sends more is none of ours.
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/** A megabyte or less of JSON, and a tenth of what an endpoint has to take (docs/wire.md). */
const LARGE_BATCH = 1000
const TOKEN = /^[\x21-\x7e]+$/
/** In the answer to a batch: the endpoint takes reports at `meters` beside it, and which version of them at most. */
const REPORTS_HEADER = 'tallygate-meters'
/** Whoever answers so is another than the one that said it. */
const TAKES_NONE = new Set([404, 405, 410, 415, 501])

/**
 * @example
 * const meter = new Meter({ sinks: [httpSink({ url: 'https://api.example.com/v1/ingest', apiKey })] })
 */
export function httpSink(options: HttpSinkOptions): Sink {
  const url = checkUrl(options.url)
  const { gzip = true, timeoutMs = 15_000 } = options
  // The key itself must not stand in a message that ends up in a log.
  if (options.apiKey !== undefined && !(typeof options.apiKey === 'string' && TOKEN.test(options.apiKey)))
    throw new MeterError('BAD_OPTION', 'Expected `apiKey` to be a string of visible ASCII characters.')
  const headers = {
    ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
    'user-agent': 'tallygate',
    ...lowerCased(options.headers ?? {}),
    'content-type': 'application/json',
    ...(gzip ? { 'content-encoding': 'gzip' } : {}),
  }
  // For messages: a URL can carry a password or a token.
  const address = url.origin + url.pathname
  /** A retry must carry the same bytes, and must not pay for them twice. */
  const bodies = new WeakMap<Batch, Promise<Uint8Array>>()
  let client: Promise<Client> | undefined
  /** Whether the endpoint has said that it takes reports of meters: one that has not never sees any. */
  let takesReports = false

  async function post(to: URL, more: Readonly<Record<string, string>>, body: Uint8Array, signal: AbortSignal) {
    const { request, agent } = await (client ??= openClient())
    return request(to, {
      method: 'POST',
      headers: { ...headers, ...more },
      body,
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
  }

  /** Beside the ingest address, whatever stands before and behind that. */
  async function tell(report: MeterReport, signal: AbortSignal): Promise<boolean> {
    const { toWireReport } = await import('./meter-report.ts')
    const to = new URL(url)
    to.pathname = url.pathname.replace(/[^/]*\/?$/, 'meters')
    const answer = await post(to, {}, await pack(JSON.stringify(toWireReport(report)), gzip), signal)
    await answer.body.dump()
    if (answer.statusCode < 300) return true
    if (!TAKES_NONE.has(answer.statusCode)) throw new Error(`it answered ${answer.statusCode}`)
    takesReports = false
    return false
  }

  async function send(batch: Batch, signal: AbortSignal): Promise<Delivery> {
    let body: Uint8Array
    try {
      const encoding = bodies.get(batch) ?? encodeBatch(batch, gzip)
      bodies.set(batch, encoding)
      body = await encoding
    } catch (cause) {
      return {
        outcome: 'rejected',
        error: new MeterError('DELIVERY_REJECTED', 'it cannot be written as JSON', { cause }),
      }
    }
    try {
      const answer = await post(url, { 'idempotency-key': batch.id }, body, signal)
      if (answer.statusCode >= 300) {
        // What an error body says is not for us to repeat: it can quote the events.
        await answer.body.dump()
        return deliveryOf(answer.statusCode, answer.headers['retry-after'], undefined, address)
      }
      // A sign-in page, a proxy, the app at the wrong path: nobody there has kept an event.
      if (/^text\/html\b/i.test(String(answer.headers['content-type'] ?? ''))) {
        await answer.body.dump()
        const message = `${address} answered ${answer.statusCode} with a web page: there is no ingest endpoint at this address`
        return { outcome: 'paused', error: new MeterError('DELIVERY_REJECTED', message) }
      }
      takesReports = answer.headers[REPORTS_HEADER] !== undefined
      return deliveryOf(answer.statusCode, undefined, await readJson(answer.body), address)
    } catch (cause) {
      const reason = nameOf(cause)
      return { outcome: 'retry', error: new Error(`${address} could not be reached (${reason})`, { cause }) }
    }
  }

  return {
    name: 'http',
    largeBatch: LARGE_BATCH,
    send: (batch, signal) =>
      isEmpty(batch) ? Promise.resolve({ outcome: 'delivered' }) : runAsNobody(() => send(batch, signal)),
    report: async (report, signal) => takesReports && runAsNobody(() => tell(report, signal)),
    async close() {
      const opened = client
      client = undefined
      await (await opened)?.agent.destroy()
    },
  }
}

interface Client {
  readonly request: typeof import('undici').request
  readonly agent: import('undici').Agent
}

/** Never `fetch` and never the global dispatcher: both may be patched, by us too. */
async function openClient(): Promise<Client> {
  const { Agent, request } = await import('undici')
  return { request, agent: new Agent({ connections: 2, keepAliveTimeout: 30_000 }) }
}

async function readJson(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size <= MAX_ANSWER_BYTES) chunks.push(chunk)
  }
  if (size > MAX_ANSWER_BYTES) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    // A bare 2xx is an answer too: any endpoint can take events without speaking our dialect.
    return undefined
  }
}

function checkUrl(value: unknown): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new MeterError('BAD_OPTION', expected('url', 'an http or https address', value))
  return url
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function nameOf(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause
  const code = (cause as { code?: unknown }).code
  return typeof code === 'string' ? code : cause.name
}
