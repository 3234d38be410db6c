// What an application's own function makes of an answer, as far as it can be: what it cannot be is flagged, or left out.

import { formatUsd, parseDollars } from '../money.ts'
import { BUCKETS, type Bucket } from '../usage.ts'
import { codeOf, counts, isObject, type Quantities, textOf, type UsageReading } from './counts.ts'
import type { OwnReading, OwnRoute } from './own-route.ts'
import { texts } from './prompt.ts'
import type { Json, Reading, StreamReader } from './provider.ts'

/** Of one answer. */
export function readingOf(said: OwnReading | undefined): Reading {
  if (!isObject(said)) return {}
  return whole(factsOf(said), countedIn(said['usage']), chargeIn(said['costUsd']))
}

/** Sums up a stream: of each thing the last word that says something stands. */
export function lastReading(read: OwnRoute['read']): StreamReader {
  let told: Reading = {}
  let counted: Counted = NOTHING_COUNTED
  let charge: Charge = {}
  const generated: string[] = []
  return {
    take(event) {
      generated.push(...texts(event))
      const said = read(event)
      if (!isObject(said)) return event
      told = { ...told, ...defined(factsOf(said)) }
      counted = later(counted, countedIn(said['usage']))
      charge = laterCharge(charge, chargeIn(said['costUsd']))
      return event
    },
    reading: () => whole(told, counted, charge),
    generated: () => generated,
  }
}

function defined(reading: Reading): Reading {
  return Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== undefined))
}

function whole(facts: Reading, { none: _, ...usage }: Counted, { costUsd, flag }: Charge): Reading {
  const flags = flag === undefined ? usage.flags : [...(usage.flags ?? []), flag]
  return { ...facts, ...usage, costUsd, flags }
}

function factsOf(said: Json): Reading {
  return {
    model: nameOf(said['model']),
    responseId: nameOf(said['responseId']),
    upstreamProvider: nameOf(said['upstreamProvider']),
    finishReason: codeOf(nameOf(said['finishReason'])),
    serviceTier: codeOf(nameOf(said['serviceTier'])),
  }
}

/** What `String()` makes of a field that is not there, or is no text. */
const SLIPS = new Set<unknown>(['undefined', 'null', 'NaN', '[object Object]'])

export function nameOf(value: unknown): string | undefined {
  return SLIPS.has(value) ? undefined : textOf(value)
}

interface Charge {
  readonly costUsd?: string
  /** It was no amount. */
  readonly flag?: string
}

function chargeIn(said: unknown): Charge {
  if (said === undefined || said === null || (typeof said === 'string' && SLIPS.has(said))) return {}
  const pico = parseDollars(said as string | number)
  if (pico === undefined) return { flag: 'not-a-count:costUsd' }
  return pico < 0n ? { flag: 'negative:costUsd' } : { costUsd: formatUsd(pico) }
}

function laterCharge(before: Charge, now: Charge): Charge {
  if (now.costUsd !== undefined) return now
  return before.costUsd === undefined && now.flag !== undefined ? now : before
}

interface Counted extends UsageReading {
  /** Buckets that were named with what is no count: left out, or flagged. */
  readonly none: readonly Bucket[]
}

const NOTHING_COUNTED: Counted = { none: [] }

function countedIn(usage: unknown): Counted {
  if (!isObject(usage)) return NOTHING_COUNTED
  const count = counts()
  const quantities: Quantities = {}
  const none: Bucket[] = []
  for (const name in usage) {
    const bucket = name as Bucket
    if (!IS_BUCKET.has(name)) count.flag('unknown', name.slice(0, 64))
    else if (count.has(usage, name)) quantities[bucket] = count.of(usage, name)
    else {
      none.push(bucket)
      if (usage[name] !== undefined && usage[name] !== null) quantities[bucket] = count.of(usage, name)
    }
  }
  const reading = count.reading(quantities, usage, [])
  // An event whose figures are all missing says nothing of the usage.
  const isSilent = none.length > 0 && Object.keys(quantities).length === 0
  return isSilent ? { none, ...(reading.flags && { flags: reading.flags }) } : { ...reading, none }
}

/** A running total takes the place of the one before; but a count that is none takes the place of nothing. */
function later(before: Counted, now: Counted): Counted {
  const { usage: known } = before
  if (!now.usage || (known && Object.keys(now.usage).length === 0 && now.none.length === 0)) return known ? before : now
  const kept = now.none.filter((bucket) => known?.[bucket] !== undefined)
  if (!known || kept.length === 0) return now
  const usage = { ...now.usage, ...Object.fromEntries(kept.map((bucket) => [bucket, known[bucket]!])) }
  const isMended = (flag: string) => kept.some((bucket) => flag === `not-a-count:${bucket}`)
  const flags = now.flags?.filter((flag) => !isMended(flag))
  const isPartial = now.isPartial && now.none.some((bucket) => !kept.includes(bucket))
  return { usage, none: [], ...(flags?.length && { flags, reported: now.reported }), ...(isPartial && { isPartial }) }
}

const IS_BUCKET = new Set<string>(BUCKETS)
