// What `priceResponse` was given, checked name by name: what is misspelt would be left out of the price without a word.

import { expected, MeterError } from '../errors.ts'
import { timeIn } from '../event.ts'
import type { ResponseToPrice } from '../pricing-api.ts'
import { isObject } from '../providers/counts.ts'

export interface Checked {
  readonly provider: string | undefined
  readonly endpoint: string | undefined
  readonly model: string | undefined
  readonly request: unknown
  readonly response: unknown
  readonly at: number
  readonly host: string
  readonly batch: boolean | undefined
  readonly tenantId: string | undefined
}

/** What else things are called, with what they are here. */
const MEANT: Readonly<Record<keyof ResponseToPrice, readonly string[]>> = {
  provider: ['custom_llm_provider', 'vendor', 'system'],
  endpoint: ['path', 'operation', 'call_type', 'route'],
  model: ['model_name', 'model_id', 'deployment'],
  request: ['body', 'params', 'input', 'service_tier', 'request_service_tier', 'tools'],
  response: ['answer', 'output', 'result', 'usage', 'tool_usage', 'response_service_tier', 'completion_response'],
  at: ['timestamp', 'time', 'date', 'created', 'created_at'],
  host: ['base_url', 'baseurl', 'url', 'api_base', 'hostname', 'region'],
  batch: ['is_batch', 'batched'],
  tenantId: ['tenant', 'tenant_id', 'customer', 'customer_id', 'user'],
}
const NAMES = Object.keys(MEANT) as (keyof ResponseToPrice)[]

export function checked(input: ResponseToPrice): Checked {
  if (!isObject(input)) throw new MeterError('BAD_INPUT', expected('answer', 'an object', input))
  for (const [name, value] of Object.entries(input))
    if (value !== undefined && !(NAMES as readonly string[]).includes(name)) throw misspelt(name)
  const text = (name: 'provider' | 'endpoint' | 'model' | 'host' | 'tenantId'): string | undefined => {
    const value: unknown = input[name]
    if (value === undefined || value === null || typeof value === 'string') return value ?? undefined
    throw new MeterError('BAD_INPUT', expected(name, 'a string', value))
  }
  const { batch } = input
  if (batch !== undefined && typeof batch !== 'boolean')
    throw new MeterError('BAD_INPUT', expected('batch', 'true or false', batch))
  return {
    provider: text('provider'),
    endpoint: text('endpoint'),
    model: text('model') || undefined,
    request: input.request,
    response: input.response,
    at: timeOf(input.at),
    host: hostOf(text('host') ?? ''),
    batch,
    tenantId: text('tenantId'),
  }
}

function misspelt(name: string): MeterError {
  const wanted = name.toLowerCase().replaceAll('-', '_')
  const plain = wanted.replaceAll('_', '')
  const nearest =
    NAMES.find((known) => MEANT[known].includes(wanted) || known.toLowerCase() === plain) ??
    NAMES.find((known) => MEANT[known].some((other) => other.replaceAll('_', '') === plain)) ??
    NAMES.find((known) => plain.startsWith(known.toLowerCase().slice(0, 4)) && plain.length < 20)
  const hint = nearest === undefined ? `what it takes is ${NAMES.join(', ')}` : `did you mean \`${nearest}\`?`
  return new MeterError(
    'BAD_INPUT',
    `\`priceResponse\` takes no ${JSON.stringify(name.slice(0, 40))}: ${hint}${nearest === undefined ? '.' : ''}`,
  )
}

function timeOf(at: unknown): number {
  if (at === undefined) return Date.now()
  const ms = at instanceof Date ? at.getTime() : typeof at === 'string' ? timeIn(at) : at
  if (typeof ms === 'number' && Number.isFinite(ms) && Math.abs(ms) <= LAST_MS) return ms
  throw new MeterError('BAD_INPUT', expected('at', 'a date, a time in ISO 8601 or epoch milliseconds', at))
}

/** The last moment that a `Date` can be. */
const LAST_MS = 8.64e15

/** Of a base URL too. */
function hostOf(host: string): string {
  return host
    .trim()
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/?#].*$/, '')
    .replace(/:(?:443|80)$/, '')
    .toLowerCase()
}
