// What the pretended provider charges: a line for each request, exact to the pico-dollar.

import { type Counts, inputTotal, outputTotal, upTo } from './generation.ts'
import { ratesFor, type Unit } from './rates.ts'
import type { Billable, Extra, HostName, Json, ProviderName } from './wire.ts'

/**
 * One product of a line: so many units at such a rate.
 *
 * @example
 * const searches = emulator.bill().lines.flatMap(({ items }) => items).filter(({ unit }) => unit === 'webSearch')
 */
export interface BillItem {
  readonly unit: Unit
  readonly quantity: number
  readonly usdPerMillion: string
  readonly usd: string
}

/**
 * One request that the provider charges for.
 *
 * @example
 * const broken = emulator.bill().lines.filter((line) => !line.isWhole)
 */
export interface BillLine {
  readonly provider: ProviderName | HostName
  readonly model: string
  readonly endpoint: string
  readonly requestId: string
  /** Absent where the answer has none: embeddings. */
  readonly responseId?: string
  readonly at: Date
  /** The answer was sent to its end; otherwise what was generated until the break is charged, and all of the input. */
  readonly isWhole: boolean
  /** The numbers charged, in the provider's own terms. */
  readonly usage: Json
  /** All input, cached too. */
  readonly inputTokens: number
  /** All output, reasoning too. */
  readonly outputTokens: number
  /** Everything charged, by its unit, with a price or without. */
  readonly quantities: Readonly<Partial<Record<Unit | Extra, number>>>
  /** Of that, what the emulator's list has a price for. */
  readonly items: readonly BillItem[]
  /** Exact decimal dollars; absent where the emulator's list has no price for it. */
  readonly usd?: string
}

/**
 * The lines of one model, added up.
 *
 * @example
 * for (const { model, usd } of emulator.bill().totals) console.log(`${model}: $${usd}`)
 */
export interface BillTotal {
  readonly provider: ProviderName | HostName
  readonly model: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Of the priced lines. */
  readonly usd: string
  readonly unpriced: number
}

/**
 * What the emulator charges for everything it has answered.
 *
 * @example
 * const { usd, lines } = emulator.bill()
 * console.log(`${lines.length} requests for $${usd}`)
 */
export interface Bill {
  readonly lines: readonly BillLine[]
  readonly totals: readonly BillTotal[]
  /** Exact decimal dollars of all priced lines. */
  readonly usd: string
  /** Lines for which the emulator has no price. */
  readonly unpriced: number
}

/** A charge that still grows while its stream runs. */
export interface Charge {
  readonly provider: ProviderName | HostName
  readonly requestId: string
  readonly at: Date
  readonly billable: Billable
  /** Output tokens sent so far; `undefined`: the answer is whole. */
  generated: number | undefined
}

export function billOf(charges: readonly Charge[]): Bill {
  const lines = charges.map(lineOf)
  const groups = new Map<string, BillLine[]>()
  for (const { line } of lines) {
    const key = JSON.stringify([line.provider, line.model])
    const group = groups.get(key)
    if (group) group.push(line)
    else groups.set(key, [line])
  }
  const picos = new Map(lines.map(({ line, pico }) => [line, pico]))
  const sum = (of: readonly BillLine[]) => of.reduce((total, line) => total + (picos.get(line) ?? 0n), 0n)
  const all = lines.map(({ line }) => line)
  return {
    lines: all,
    totals: [...groups.values()].map((group) => ({
      provider: (group[0] as BillLine).provider,
      model: (group[0] as BillLine).model,
      requests: group.length,
      inputTokens: group.reduce((total, line) => total + line.inputTokens, 0),
      outputTokens: group.reduce((total, line) => total + line.outputTokens, 0),
      usd: decimal(sum(group)),
      unpriced: group.filter((line) => line.usd === undefined).length,
    })),
    usd: decimal(sum(all)),
    unpriced: all.filter((line) => line.usd === undefined).length,
  }
}

function lineOf({ provider, requestId, at, billable, generated }: Charge): {
  line: BillLine
  pico: bigint | undefined
} {
  const { model, endpoint, responseId, terms, extras = {} } = billable
  const counts = generated === undefined ? billable.counts : upTo(billable.counts, generated)
  const priced = ratesFor(provider, model, terms, inputTotal(counts), at)
  const items: BillItem[] = []
  let pico: bigint | undefined = 0n
  for (const [unit, quantity] of quantities(counts)) {
    if (quantity === 0) continue
    const listed = priced?.rates[unit]
    if (priced === undefined || listed === undefined) {
      pico = undefined
      continue
    }
    const percent = unit === 'webSearch' ? 0 : priced.percent
    // A dollar a million is a million pico-dollars a piece; the hundredths of the rise go in before the division.
    const rate = (picoPerUnit(listed) * BigInt(100 + percent)) / 100n
    const product = rate * BigInt(quantity)
    items.push({ unit, quantity, usdPerMillion: decimal(rate * 1_000_000n), usd: decimal(product) })
    if (pico !== undefined) pico += product
  }
  if (priced === undefined || Object.values(extras).some((quantity) => quantity > 0)) pico = undefined
  const { imageInput = 0, imageCacheRead = 0, audioCacheRead = 0, audioOutput = 0, imageOutput = 0 } = extras
  const all = [...quantities(counts), ...(Object.entries(extras) as [Extra, number][])]
  const line: BillLine = {
    provider,
    model,
    endpoint,
    requestId,
    ...(responseId !== undefined && { responseId }),
    at,
    isWhole: generated === undefined,
    usage: billable.usage(counts),
    inputTokens: inputTotal(counts) + counts.toolUse + imageInput + imageCacheRead + audioCacheRead,
    outputTokens: outputTotal(counts) + audioOutput + imageOutput,
    quantities: Object.fromEntries(all.filter(([, quantity]) => quantity > 0)),
    items,
    ...(pico !== undefined && { usd: decimal(pico) }),
  }
  return { line, pico }
}

function quantities(counts: Counts): [Unit, number][] {
  return [
    ['input', counts.input + counts.toolUse],
    ['audioInput', counts.audioInput],
    ['cacheRead', counts.cacheRead],
    ['cacheWrite', counts.cacheWrite],
    ['cacheWrite1h', counts.cacheWrite1h],
    ['output', counts.output],
    ['reasoning', counts.reasoning],
    ['webSearch', counts.webSearches],
  ]
}

/** Exact: a rate has at most six decimals, so a unit costs whole pico-dollars. */
export function picoPerUnit(usdPerMillion: string): bigint {
  const [whole = '0', fraction = ''] = usdPerMillion.split('.')
  return BigInt(whole + fraction.padEnd(6, '0'))
}

/** Pico-dollars as decimal dollars, without trailing zeros. */
export function decimal(pico: bigint): string {
  const digits = pico.toString().padStart(13, '0')
  const fraction = digits.slice(-12).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -12) : `${digits.slice(0, -12)}.${fraction}`
}
