// Reading a provider's counts: what is missing, negative, fractional or absurd is flagged and never silently billed.

import type { Bucket, Usage } from '../usage.ts'
import type { Json } from './provider.ts'

/** No model takes or gives this many tokens in one call: a number above it is a fault of the wire. */
const ABSURD = 1e10

/** Gathers one usage object: its counts by name, and what was wrong with them. */
export interface Counts {
  /** A count of `object`; 0 where it is missing, `null` or unusable (then flagged). */
  of(object: unknown, field: string): number
  /** True where `object` has the field as a usable count. */
  has(object: unknown, field: string): boolean
  flag(kind: 'sum' | 'subset', field: string): void
  readonly flags: string[]
  /** Some count was unusable, so the usage is not whole. */
  readonly isBroken: boolean
}

export function counts(): Counts {
  const flags: string[] = []
  let isBroken = false
  const bad = (kind: string, field: string) => {
    isBroken = true
    const flag = `${kind}:${field}`
    if (!flags.includes(flag)) flags.push(flag)
    return 0
  }
  return {
    flags,
    get isBroken() {
      return isBroken
    },
    of(object, field) {
      const value = (object as Json | null | undefined)?.[field]
      if (value === undefined || value === null) return 0
      if (typeof value !== 'number' || Number.isNaN(value)) return bad('not-a-count', field)
      if (value < 0) return bad('negative', field)
      if (value > ABSURD) return bad('absurd', field)
      if (Number.isInteger(value)) return value
      flags.push(`fractional:${field}`)
      return Math.ceil(value)
    },
    has(object, field) {
      const value = (object as Json | null | undefined)?.[field]
      return typeof value === 'number' && value >= 0 && value <= ABSURD
    },
    flag(kind, field) {
      flags.push(`${kind}:${field}`)
    },
  }
}

/** The buckets that hold something. */
export function usageOf(quantities: { readonly [B in Bucket]?: number }): Usage {
  const usage: { [B in Bucket]?: number } = {}
  for (const bucket in quantities) {
    const quantity = quantities[bucket as Bucket]
    if (quantity !== undefined && quantity > 0) usage[bucket as Bucket] = quantity
  }
  return usage
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A provider's identifier as it may stand on an event: never a sentence. */
export function codeOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value) ? value : undefined
}
