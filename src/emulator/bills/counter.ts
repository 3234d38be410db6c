// What a pretended provider notes of each request that it served, and what it asks for it.

/** Disjoint counts, in the provider's own words. */
export interface Counts {
  readonly fresh: number
  readonly reread: number
  readonly kept: number
  readonly keptLong: number
  readonly said: number
}

export interface Served {
  readonly house: House
  readonly at: number
  readonly model: string
  readonly lane: 'usual' | 'bulk'
  readonly key: string
  readonly place: string
  readonly profile: string | null
  readonly counts: Counts
  /** Asks the undiscounted price though it came in bulk. */
  readonly fullPrice?: boolean
}

export type House = 'openai' | 'anthropic'
export type Unit = keyof Counts

/** Pico-dollars a token, written down by hand on 2026-11-22 from both pricing pages; shared with nothing. */
const LIST: Readonly<Record<string, Readonly<Record<Unit, number>>>> = {
  'gpt-6-sol': { fresh: 2_000_000, reread: 200_000, kept: 2_500_000, keptLong: 0, said: 10_000_000 },
  'gpt-6-luna': { fresh: 100_000, reread: 10_000, kept: 125_000, keptLong: 0, said: 500_000 },
  'gpt-5-mini': { fresh: 250_000, reread: 25_000, kept: 0, keptLong: 0, said: 2_000_000 },
  'gpt-4.1': { fresh: 2_000_000, reread: 500_000, kept: 0, keptLong: 0, said: 8_000_000 },
  'gpt-4o': { fresh: 2_500_000, reread: 1_250_000, kept: 0, keptLong: 0, said: 10_000_000 },
  'claude-opus-5-5': { fresh: 4_000_000, reread: 200_000, kept: 5_000_000, keptLong: 8_000_000, said: 20_000_000 },
  'claude-opus-5': { fresh: 5_000_000, reread: 500_000, kept: 6_250_000, keptLong: 10_000_000, said: 25_000_000 },
  'claude-haiku-4-5': { fresh: 1_000_000, reread: 100_000, kept: 1_250_000, keptLong: 2_000_000, said: 5_000_000 },
  'claude-sonnet-4-6': { fresh: 3_000_000, reread: 300_000, kept: 3_750_000, keptLong: 6_000_000, said: 15_000_000 },
}

export const MODELS: Readonly<Record<House, readonly string[]>> = {
  openai: ['gpt-6-sol', 'gpt-6-luna', 'gpt-5-mini', 'gpt-4.1', 'gpt-4o'],
  anthropic: ['claude-opus-5-5', 'claude-opus-5', 'claude-haiku-4-5', 'claude-sonnet-4-6'],
}

export function keepsCaches(model: string): boolean {
  return LIST[model]!.kept > 0
}

/** A price of the provider that is not the one on its page: times `of`, hundredths. */
export interface Surprise {
  readonly house: House
  readonly since: number
  readonly until?: number
  readonly model?: string
  readonly units?: readonly Unit[]
  readonly of: bigint
}

export interface BillRow {
  readonly day: number
  readonly model: string
  readonly lane: Served['lane']
  readonly unit: Unit
  readonly key: string
  readonly place: string
  readonly profile: string | null
  tokens: number
  /** Ten-thousandths of a pico-dollar, so that surprises stay whole. */
  owed: bigint
  listed: bigint
}

const DAY = 86_400_000
const UNITS: readonly Unit[] = ['fresh', 'reread', 'kept', 'keptLong', 'said']
/** Two surprises of hundredths at once are still whole. */
export const FINE = 10_000n

/** The bill of a house, a row for each day, model, lane, kind of token and whose it was. */
export function billOf(house: House, served: readonly Served[], surprises: readonly Surprise[]): BillRow[] {
  const rows = new Map<string, BillRow>()
  for (const request of served) {
    if (request.house !== house) continue
    const day = Math.floor(request.at / DAY) * DAY
    for (const unit of UNITS) {
      const tokens = request.counts[unit]
      if (tokens === 0) continue
      const { model, lane, key, place, profile } = request
      const name = [day, model, lane, unit, key, place, profile].join('/')
      let row = rows.get(name)
      if (row === undefined)
        rows.set(name, (row = { day, model, lane, unit, key, place, profile, tokens: 0, owed: 0n, listed: 0n }))
      const half = lane === 'bulk'
      const listed = (BigInt(tokens) * BigInt(LIST[model]![unit]) * FINE) / (half ? 2n : 1n)
      row.tokens += tokens
      row.listed += listed
      row.owed += withSurprises(request.fullPrice === true && half ? listed * 2n : listed, request, unit, surprises)
    }
  }
  return [...rows.values()]
}

function withSurprises(owed: bigint, request: Served, unit: Unit, surprises: readonly Surprise[]): bigint {
  let sum = owed
  for (const { house, since, until, model, units, of } of surprises) {
    if (house !== request.house || request.at < since || (until !== undefined && request.at >= until)) continue
    if ((model !== undefined && model !== request.model) || (units !== undefined && !units.includes(unit))) continue
    sum = (sum * of) / 100n
  }
  return sum
}
