// What the options about limits may be.

import type { StoreDownPolicy } from '../limits/outage.ts'
import { parseDollars } from '../money.ts'

export const STORE_DOWN_POLICIES = [
  'lease-then-deny',
  'lease-then-allow',
  'deny',
  'allow',
] as const satisfies StoreDownPolicy[]

export function isStoreDownPolicy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return STORE_DOWN_POLICIES.includes(value as (typeof STORE_DOWN_POLICIES)[number])
  const [name, ...others] = Object.keys(value)
  const overdraft = parseDollars((value as { overdraftUsd?: unknown }).overdraftUsd)
  return name === 'overdraftUsd' && others.length === 0 && overdraft !== undefined && overdraft >= 0n
}

export function isPercents(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => Number.isInteger(one) && one >= 1 && one <= 1000)
}
