// What a host says that it charges for a call, as exact dollars.

import { formatUsd, type PicoUsd, parseDollars } from '../money.ts'
import { MAX_EVENT_PICO } from '../wire-fields.ts'
import { isObject } from './counts.ts'
import type { Quirks } from './hosts.ts'
import type { Json } from './provider.ts'

/** A hundred pico-dollars: xAI's unit of money. */
const PICO_PER_TICK = 100n

/** The field of the usage that says it. */
export const CHARGE_FIELDS = { openrouter: 'cost', ticks: 'cost_in_usd_ticks', total_cost: 'cost' } as const

/** The charge in `usage`: `undefined` where none is said, `null` where what is said is no sum of money. */
export function chargeOf(how: NonNullable<Quirks['charge']>, usage: Json): string | null | undefined {
  const pico = READERS[how](usage)
  if (pico === undefined || pico === null) return pico
  return pico >= 0n && pico <= MAX_EVENT_PICO ? formatUsd(pico) : null
}

type Said = PicoUsd | null | undefined

const READERS: Readonly<Record<NonNullable<Quirks['charge']>, (usage: Json) => Said>> = {
  /**
   * `cost` is what OpenRouter takes. On a key of the caller's own (`is_byok`) that is its fee alone, and the maker of the
   * model bills the rest to that key; on any other call the same upstream cost is shown too, and is within `cost`.
   */
  openrouter(usage) {
    const own = dollars(usage['cost'])
    if (usage['is_byok'] !== true || typeof own !== 'bigint') return own
    const details = usage['cost_details']
    const upstream = dollars(isObject(details) ? details['upstream_inference_cost'] : undefined)
    return typeof upstream === 'bigint' ? own + upstream : upstream
  },
  ticks(usage) {
    const ticks = usage['cost_in_usd_ticks']
    if (ticks === undefined || ticks === null) return undefined
    return Number.isSafeInteger(ticks) ? BigInt(ticks as number) * PICO_PER_TICK : null
  },
  total_cost(usage) {
    const cost = usage['cost']
    return isObject(cost) ? dollars(cost['total_cost']) : undefined
  },
}

/** The digits that the host wrote; those of a sum in floating point are rounded to the pico-dollar. */
function dollars(value: unknown): Said {
  if (value === undefined || value === null) return undefined
  return parseDollars(value) ?? null
}
