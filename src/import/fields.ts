// Reading rows that anybody may have written: a field is what it should be, or it is not there.

import { timeIn } from '../event.ts'
import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import { tenantIdFault } from '../tenant.ts'
import { MAX_TEXT_LENGTH } from '../wire-fields.ts'
import type { Labels } from './format.ts'

/** A text that an event can hold. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_LENGTH ? value : undefined
}

export function objectOf(value: unknown): Json | undefined {
  if (typeof value !== 'string') return isObject(value) ? value : undefined
  // Columns of JSON are text in comma-separated values.
  const parsed = jsonOf(value)
  return isObject(parsed) ? parsed : undefined
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** A word as it is, or a number as text; empty for everything else. */
export function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** The last moment that events have. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
/** `12:00:00.25+00`, as psql writes it. */
const SHORT_ZONE = /(:\d\d(?:\.\d+)?[+-]\d\d)$/
/** The year 5138 in seconds, and 1973 in milliseconds. */
const LARGEST_SECONDS = 1e11

/** Epoch milliseconds of a written time, of seconds or of milliseconds since 1970. */
export function timeOf(value: unknown): number | undefined {
  const number = typeof value === 'number' ? value : undefined
  const ms =
    number === undefined
      ? typeof value === 'string'
        ? timeIn(value.replace(SHORT_ZONE, '$1:00'))
        : Number.NaN
      : number < LARGEST_SECONDS
        ? number * 1000
        : number
  return ms > 0 && ms <= LAST_MS ? Math.floor(ms) : undefined
}

/** The host of an address, or what looks like one. */
export function hostOf(value: unknown): string | undefined {
  const text = textOf(value)
  const host = text?.replace(/^[a-z]+:\/\//i, '').replace(/[/?#].*$/, '')
  return host ? host.toLowerCase() : undefined
}

const LABELS = {
  tenant_id: 'tenantId',
  tenant: 'tenantId',
  user_id: 'userId',
  session_id: 'sessionId',
  feature: 'feature',
  team: 'team',
  project: 'project',
  cost_center: 'costCenter',
  operation_id: 'operationId',
  app_name: 'appName',
  environment: 'environment',
} as const satisfies Record<string, keyof Labels>

/** The labels that an object has by the names of the wire. */
export function labelsIn(from: Json | undefined): Labels {
  const labels: Record<string, string> = {}
  for (const [name, label] of Object.entries(LABELS)) {
    const text = textOf(from?.[name])
    if (text !== undefined && (label !== 'tenantId' || tenantIdFault(text) === undefined)) labels[label] ??= text
  }
  return labels
}

/** What stands at `metadata.customer`: a text, or a number as text. */
export function valueAt(row: Json, path: string): string | undefined {
  let value: unknown = row
  for (const step of path.split('.')) value = objectOf(value)?.[step]
  return typeof value === 'number' ? String(value) : textOf(value)
}
