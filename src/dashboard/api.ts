// Questions to the server that this page came from, and the shapes of its answers. docs/dashboard.md lists them.

export interface Figures {
  readonly calls: number
  readonly errors: number
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly output_tokens: number
  readonly cost_usd: string
  readonly unpriced: number
  readonly estimated: number
  readonly resale_usd: string | null
}

export type Row = Figures & Readonly<Record<string, string | number | null>>

export interface Totals {
  readonly by: readonly string[]
  readonly rows: readonly Row[]
  readonly total: Figures
  readonly count: number
}

export interface Series {
  readonly buckets: readonly string[]
  readonly rows: readonly {
    readonly key: string | null
    readonly is_other?: true
    readonly cost_usd: readonly string[]
    readonly calls: readonly number[]
  }[]
}

export interface Summary {
  readonly today: Figures
  readonly yesterday: Figures
  readonly yesterday_by_now: Figures
  readonly this_month: Figures
  readonly last_month: Figures
  readonly last_month_by_now: Figures
  readonly projected: {
    readonly usd: string
    readonly low_usd: string
    readonly high_usd: string
    readonly days: number
  }
}

export interface Percentiles {
  /** There are too many calls to look at all of them. */
  readonly sampled: boolean
  readonly rows: readonly Readonly<Record<string, string | number | null>>[]
}

export type WireEvent = Readonly<Record<string, unknown>> & { readonly event_id: string; readonly timestamp: string }

export interface Limit {
  readonly tenant_id: string
  readonly window: string
  readonly limit_usd: string
  readonly spent_usd: string
  readonly resets_at: string | null
  readonly mode: string
  readonly settings?: { readonly time_zone?: string; readonly anchor?: number; readonly rolling?: boolean }
}

export interface Change {
  readonly at: string
  readonly by: string
  readonly what: string
  readonly of: string
  readonly before: string | null
  readonly after: string | null
}

export interface CauseSum {
  readonly cause: string
  readonly usd: string
}

export interface ReconciledDay {
  readonly day: string
  readonly source: string
  readonly status: 'ok' | 'warn' | 'fail' | null
  readonly billed_usd: string
  readonly logged_usd: string
  readonly difference_usd: string
  readonly causes: readonly CauseSum[]
  readonly compared_at: string
}

export interface Reconciliations {
  readonly rows: readonly ReconciledDay[]
  readonly total: Pick<ReconciledDay, 'billed_usd' | 'logged_usd' | 'difference_usd' | 'causes'>
}

export interface Health {
  readonly ready: boolean
  readonly version: string | null
  readonly node: string
  readonly started_at: string
  readonly memory_bytes: number
  readonly newest_event_at: string | null
  readonly price_version: string | null
  readonly events: Readonly<Record<'accepted' | 'duplicate' | 'rejected', number>>
  readonly problems: readonly { readonly at: string; readonly kind: string; readonly message: string }[]
  readonly dead_letters?: number
}

export interface Meter {
  readonly meter_id: string
  readonly at: string
  readonly ended: boolean
  readonly app_name?: string
  readonly environment?: string
  readonly host_name: string
  readonly pid: number
  readonly tallygate: string
  readonly node: string
  readonly waiting: number
  readonly waiting_since?: string
  readonly lost: number
  readonly dead_letters: number
  readonly unmetered: readonly { readonly host: string | null; readonly calls: number; readonly unknown: number }[]
  readonly problems: readonly { readonly at: string; readonly kind: string; readonly message: string }[]
}

export interface Refusal {
  readonly at: string
  readonly tenant: string | null
  readonly scope: string | null
  readonly window: string | null
  readonly code: string
  readonly calls: number
}

export interface Session {
  readonly role: 'read' | 'admin'
  readonly project: string | null
}

/** An answer that is no answer; its message is for the reader. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export type Params = Readonly<Record<string, string | number | boolean | undefined>> | URLSearchParams

export function addressOf(path: string, params: Params = {}): string {
  const query = params instanceof URLSearchParams ? params : new URLSearchParams()
  if (!(params instanceof URLSearchParams))
    for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, String(value))
  // Relative: the server may stand behind a path of a proxy.
  return `v1/${path}${query.size === 0 ? '' : `?${query}`}`
}

export async function ask<T>(address: string, signal?: AbortSignal): Promise<T> {
  return send('GET', address, undefined, signal)
}

export async function send<T>(method: string, address: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(address, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(signal && { signal }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Refused(0, 'The server does not answer. Does it still run?')
  }
  const answer = (await response.json().catch(() => undefined)) as { error?: unknown } | undefined
  if (response.ok && answer !== undefined) return answer as T
  const sentence = typeof answer?.error === 'string' ? answer.error : `The server answered ${response.status}.`
  throw new Refused(response.status, sentence)
}
