// The limits of a tenant over HTTP, as docs/wire.md says: read, written, removed.

import { LIMIT_MODES, type LimitMode, type LimitWindow, MeterError } from '../errors.ts'
import { formatUsd, nanoCeil, PICO_PER_NANO, parseDollars, picoFromNano } from '../money.ts'
import { runAsNobody } from '../tenant.ts'
import type { LimitRule } from './limit-store.ts'
import { LIMIT_WINDOWS } from './window.ts'

export interface LimitsClientOptions {
  /** `url` without its `/v1/ingest`. */
  readonly baseUrl: string
  readonly apiKey?: string | undefined
}

/** A limit as the backend knows it. */
export interface RemoteLimit extends Pick<LimitRule, 'per' | 'limitNanoUsd' | 'mode'> {
  readonly spentNanoUsd: bigint
}

/** The first call of a tenant waits for the answer: a backend that is slower than this is not waited for. */
const TIMEOUT_MS = 2000

export function createLimitsClient({ baseUrl, apiKey }: LimitsClientOptions) {
  async function send(method: 'GET' | 'PUT' | 'DELETE', tenantId: string, query = '', body?: object) {
    // A URL cannot name them: they are steps on its path, percent-encoded too.
    if (tenantId === '.' || tenantId === '..')
      throw new MeterError('BAD_INPUT', `A tenant called ${JSON.stringify(tenantId)} has no address for its limits.`)
    const { request } = await import('undici')
    const { statusCode, body: answer } = await runAsNobody(() =>
      request(`${baseUrl}/v1/limits/${encodeURIComponent(tenantId)}${query}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      }),
    )
    const isOk = statusCode >= 200 && statusCode < 300
    if (isOk && method === 'GET') return jsonIn(await answer.text())
    await answer.dump()
    // A backend without limits has none for anybody.
    if (statusCode === 404 && method === 'GET') return { limits: [] }
    if (!isOk) {
      const hint = statusCode === 401 || statusCode === 403 ? ': the API key was refused' : ''
      throw new MeterError(
        'DELIVERY_REJECTED',
        `The limits endpoint answered ${method} with status ${statusCode}${hint}.`,
      )
    }
    return undefined
  }

  return {
    async read(tenantId: string): Promise<RemoteLimit[]> {
      return limitsIn(await send('GET', tenantId))
    },
    async write(tenantId: string, { per, limitNanoUsd, mode }: LimitRule): Promise<void> {
      await send('PUT', tenantId, '', { usd: formatUsd(picoFromNano(limitNanoUsd)), per, mode })
    },
    async remove(tenantId: string, window: LimitWindow): Promise<void> {
      await send('DELETE', tenantId, `?per=${window}`)
    },
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MeterError('BAD_INPUT', 'The limits endpoint answered with something that is no JSON.')
  }
}

function limitsIn(body: unknown): RemoteLimit[] {
  const list = (body as { limits?: unknown } | null)?.limits
  if (!Array.isArray(list)) throw new MeterError('BAD_INPUT', 'The limits endpoint answered without a list `limits`.')
  const limits = new Map<LimitWindow, RemoteLimit>()
  for (const entry of list as (Record<string, unknown> | null)[]) {
    const per = entry?.['window'] as LimitWindow
    const limit = parseDollars(entry?.['limit_usd'])
    const spent = parseDollars(entry?.['spent_usd'])
    if (!LIMIT_WINDOWS.includes(per) || limit === undefined || spent === undefined)
      throw new MeterError(
        'BAD_INPUT',
        'The limits endpoint answered with a limit that has no `window`, `limit_usd` or `spent_usd`.',
      )
    // What is in a time zone, or rolls on, is held over leases only: as a window in UTC it would be another limit.
    if (limits.has(per) || entry?.['settings'] !== undefined) continue
    const said = entry?.['mode'] as LimitMode
    const mode = LIMIT_MODES.includes(said) ? said : 'expected'
    limits.set(per, { per, limitNanoUsd: limit / PICO_PER_NANO, mode, spentNanoUsd: nanoCeil(spent) })
  }
  return [...limits.values()]
}
