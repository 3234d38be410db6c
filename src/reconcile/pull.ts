// Asks a provider's own API: one page after the other, again where it says wait, and never with a key in a message.

import { MeterError } from '../errors.ts'
import { runAsNobody } from '../tenant.ts'
import { type Fields, objectIn, stopAt } from './fields.ts'
import type { KeptPages } from './statement.ts'

export interface PullOptions {
  readonly baseUrl: string
  readonly headers: Readonly<Record<string, string>>
  /** What came before an earlier run broke off is not asked for again. */
  readonly kept?: KeptPages | undefined
  /** Attempts of one page; 6. */
  readonly attempts?: number | undefined
  /** For tests: how long to wait before the next attempt; the longest that a provider may ask for is two minutes. */
  readonly pause?: ((ms: number) => Promise<void>) | undefined
}

export interface Puller {
  get(path: string, query: URLSearchParams): Promise<Fields>
  close(): Promise<void>
}

const ATTEMPTS = 6
const TIMEOUT_MS = 60_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 120_000
const PASSING = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529])

export function puller({ baseUrl, headers, kept, attempts = ATTEMPTS, pause = sleep }: PullOptions): Puller {
  let opened: Promise<{ request: typeof import('undici').request; agent: import('undici').Agent }> | undefined
  const open = async () => {
    const { Agent, request } = await import('undici')
    return { request, agent: new Agent({ connections: 2 }) }
  }

  async function once(url: URL): Promise<{ status: number; retryAfter: number | undefined; body: string }> {
    const { request, agent } = await (opened ??= open())
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const answer = await request(url, { headers: { ...headers, 'user-agent': 'tallygate' }, dispatcher: agent, signal })
    return {
      status: answer.statusCode,
      retryAfter: secondsOf(answer.headers['retry-after']),
      body: await answer.body.text(),
    }
  }

  async function get(path: string, query: URLSearchParams): Promise<Fields> {
    const base = baseUrl.replace(/\/+$/, '')
    // Not repeated: an address may hold a password.
    if (!URL.canParse(base)) throw new MeterError('BAD_OPTION', 'Expected `baseUrl` to be an address, https://….')
    const url = new URL(`${base}${path}`)
    url.search = query.toString()
    const where = `${url.host}${url.pathname}`
    const asked = kept === undefined ? '' : nameOf(url, headers)
    const before = kept?.find(asked)
    if (before !== undefined) return objectIn(before, where, 'the answer')
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= attempts
      const answer = await once(url).catch((cause: unknown) => {
        if (isLast) throw unreachable(where, cause, kept)
        return undefined
      })
      if (answer?.status === 200) {
        const fields = objectIn(parsed(answer.body, where), where, 'the answer')
        kept?.keep(asked, fields)
        return fields
      }
      if (answer !== undefined && (isLast || !PASSING.has(answer.status))) throw refused(where, answer.status, kept)
      const wait = answer?.retryAfter ?? FIRST_PAUSE_MS * 2 ** (attempt - 1)
      await pause(Math.min(wait, LONGEST_PAUSE_MS))
    }
  }

  return {
    get: (path, query) => runAsNobody(() => get(path, query)),
    async close() {
      await (await opened)?.agent.destroy()
    },
  }
}

function parsed(body: string, where: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return stopAt(where, 'the answer', 'JSON', `a text of ${body.length} characters that is none`)
  }
}

/** By the key too, and without telling it: another one is of another organization. */
function nameOf(url: URL, headers: PullOptions['headers']): string {
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256')
    .update(JSON.stringify([url.href, headers]))
    .digest('hex')
}

const brokenOff = new WeakSet<Error>()

/** Whether what came so far is right, and the rest may come another time. */
export function isBrokenOff(error: unknown): boolean {
  return error instanceof Error && brokenOff.has(error)
}

function endingOf(kept: KeptPages | undefined): string {
  const more = kept === undefined ? '' : ', and the next run goes on from what came so far'
  return `Nothing of these days was written${more}.`
}

function refused(where: string, status: number, kept: KeptPages | undefined): MeterError {
  const isKey = status === 401 || status === 403
  const why = isKey
    ? 'the key in the environment is not one that may read usage and costs'
    : PASSING.has(status)
      ? 'it is tried again with the next run'
      : 'it does not take what it was asked, such as days of too long ago'
  const goesOn = isKey || PASSING.has(status)
  const error = new MeterError(
    'BAD_INPUT',
    `${where} answered ${status}: ${why}. ${endingOf(goesOn ? kept : undefined)}`,
  )
  if (goesOn) brokenOff.add(error)
  return error
}

function unreachable(where: string, cause: unknown, kept: KeptPages | undefined): MeterError {
  const code = (cause as { code?: unknown } | null)?.code
  const why = typeof code === 'string' ? ` (${code})` : ''
  const sentence = `${where} could not be reached${why}. ${endingOf(kept)}`
  const error = new MeterError('BAD_INPUT', sentence, { cause })
  brokenOff.add(error)
  return error
}

/** Seconds or a date; `undefined` for neither. */
function secondsOf(header: string | readonly string[] | undefined): number | undefined {
  const text = String(header ?? '')
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
