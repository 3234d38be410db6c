// Limits over HTTP: what a tenant may spend, and what it has spent in the current window.

import { expected, LIMIT_MODES, type LimitMode, type LimitWindow, MeterError } from '../errors.ts'
import { toWireSettings } from '../limits/http-wire.ts'
import { MOST_USD } from '../limits/limit.ts'
import type { LimitSettings } from '../limits/limit-store.ts'
import { calendarOf, LIMIT_WINDOWS } from '../limits/window.ts'
import { formatUsd, PICO_PER_NANO, PICO_PER_USD, parseUsd } from '../money.ts'
import type { Ledger, StoredLimit } from '../sinks/ledger.ts'
import { tenantIdFault } from '../tenant.ts'
import { answer } from './answer.ts'
import type { Change } from './changes.ts'

/** A limit of a whole tenant, with what it says beyond what a ledger keeps, such as a time zone. */
export interface PlainLimit extends StoredLimit {
  readonly settings?: LimitSettings
}

/** What is told here, and set as far as a ledger keeps it: limits of whole tenants. */
export interface PlainLimits extends Pick<Ledger, 'spent' | 'putLimit' | 'removeLimit'> {
  limits(): Promise<readonly PlainLimit[]>
}

/** Adds a line to the trail of changes. */
export type NoteLimit = (change: Pick<Change, 'what' | 'of' | 'before' | 'after'>) => Promise<void>

/** The tenant of a path's last segment. Throws a `MeterError` for none. */
export function tenantOf(segment: string): string {
  let tenantId: string
  try {
    tenantId = decodeURIComponent(segment)
  } catch {
    throw new MeterError('BAD_INPUT', 'Expected the tenant to be percent-encoded UTF-8.')
  }
  const fault = tenantIdFault(tenantId)
  if (fault !== undefined) throw new MeterError('BAD_INPUT', fault)
  return tenantId
}

export async function readLimits(ledger: PlainLimits, tenantId: string, now: number): Promise<Response> {
  const limits = (await ledger.limits()).filter((limit) => limit.tenantId === tenantId)
  const shown = limits.map(async (limit) => {
    const { since, told } = standingOf(limit, now)
    return { ...told, spent_usd: formatUsd(await ledger.spent(tenantId, since)) }
  })
  return answer(200, { tenant_id: tenantId, limits: await Promise.all(shown) })
}

/** Since when what is spent counts, and what is told of a limit besides. Of a rolling one nothing ends at once. */
export function standingOf({ window, limit, mode, settings = {} }: PlainLimit, now: number) {
  const { since, until, earlier } = calendarOf(window, settings).at(now)
  const isEndless = until === Number.POSITIVE_INFINITY || earlier.length > 0
  const told = {
    window,
    limit_usd: formatUsd(limit),
    resets_at: isEndless ? null : new Date(until).toISOString(),
    mode,
    ...(Object.keys(settings).length > 0 && { settings: toWireSettings(settings) }),
  }
  return { since, told }
}

export async function writeLimit(ledger: PlainLimits, tenantId: string, body: unknown, now: number): Promise<Response> {
  await ledger.putLimit({ tenantId, ...limitOf(body) })
  return readLimits(ledger, tenantId, now)
}

export async function dropLimit(
  ledger: PlainLimits,
  tenantId: string,
  per: string | null,
  now: number,
): Promise<Response> {
  await ledger.removeLimit(tenantId, windowOf(per ?? 'month'))
  return readLimits(ledger, tenantId, now)
}

/** The same limits, of which each change is told with how it was before. */
export function notingLimits(limits: PlainLimits, note: NoteLimit): PlainLimits {
  const stored = async (tenantId: string, window: LimitWindow) => {
    const found = (await limits.limits()).find((limit) => limit.tenantId === tenantId && limit.window === window)
    return found === undefined ? null : inWords(found)
  }
  return {
    limits: () => limits.limits(),
    spent: (tenantId, since) => limits.spent(tenantId, since),
    async putLimit(limit) {
      const before = await stored(limit.tenantId, limit.window)
      await limits.putLimit(limit)
      const after = inWords(limit)
      if (after !== before) await note({ what: 'limit.set', of: limit.tenantId, before, after })
    },
    async removeLimit(tenantId, window) {
      const before = await stored(tenantId, window)
      await limits.removeLimit(tenantId, window)
      if (before !== null) await note({ what: 'limit.removed', of: tenantId, before, after: null })
    },
  }
}

export function inWords({ window, limit, mode, settings = {} }: Omit<PlainLimit, 'tenantId'>): string {
  const more = Object.keys(settings).length > 0 ? `, ${JSON.stringify(settings)}` : ''
  return `$${formatUsd(limit)} per ${window}, ${mode}${more}`
}

const FIELDS: readonly string[] = ['usd', 'per', 'mode']

function limitOf(body: unknown): Omit<StoredLimit, 'tenantId'> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new MeterError('BAD_INPUT', expected('body', 'an object with `usd` and `per`', body))
  // A field that is passed over would be another limit than the one that was meant.
  const unknown = Object.keys(body).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined)
    throw new MeterError(
      'BAD_INPUT',
      `There is no field \`${unknown.slice(0, 40)}\` in a limit here; the fields are ${FIELDS.join(', ')}.`,
    )
  const { usd, per = 'month', mode = 'expected' } = body as Record<string, unknown>
  const limit = typeof usd === 'string' || typeof usd === 'number' ? parseUsd(usd) : undefined
  if (limit === undefined || limit < 0n || limit > MOST_USD * PICO_PER_USD || (limit > 0n && limit < PICO_PER_NANO))
    throw new MeterError(
      'BAD_INPUT',
      expected('usd', `dollars from 0.000000001 to ${MOST_USD}, or 0, with at most 12 digits behind the point`, usd),
    )
  const window = windowOf(per)
  if (!LIMIT_MODES.includes(mode as LimitMode))
    throw new MeterError('BAD_INPUT', expected('mode', `one of ${LIMIT_MODES.join(', ')}`, mode))
  return { limit, window, mode: mode as LimitMode }
}

function windowOf(per: unknown): LimitWindow {
  if (LIMIT_WINDOWS.includes(per as LimitWindow)) return per as LimitWindow
  throw new MeterError('BAD_INPUT', expected('per', `one of ${LIMIT_WINDOWS.join(', ')}`, per))
}
