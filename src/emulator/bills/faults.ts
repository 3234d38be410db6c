// Faults for a month: each is planted in calls of its own, and noted under a name of its own.

import { type House, keepsCaches, MODELS, type Served, type Surprise } from './counter.ts'
import type { Dice } from './dice.ts'
import { callAt, type Pair, SELF_COUNTED } from './traffic.ts'

export const TRICKS = [
  'asked-twice',
  'cut-stream',
  'old-tariff',
  'dear-cache',
  'bulk-undiscounted',
  'stranger',
  'ghost-prompt',
  'other-engine',
  'padded-answer',
  'new-vocabulary',
  'rebate',
  'waived',
  'unlisted-call',
  'late-clock',
] as const
export type Trick = (typeof TRICKS)[number]

/** What was planted, as whoever planted it says it. */
export interface Planted {
  readonly trick: Trick
  readonly house: House
  readonly what: string
}

export interface Plot {
  readonly pairs: Pair[]
  readonly surprises: Surprise[]
  readonly planted: Planted[]
}

export interface PlantOptions {
  readonly dice: Dice
  readonly start: number
  readonly days: number
  readonly tricks: readonly Trick[]
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

export function plant(pairs: Pair[], { dice, start, days, tricks }: PlantOptions): Plot {
  const plot: Plot = { pairs, surprises: [], planted: [] }
  /** A model's day has one fault at most, and a model one price at most, so that each can be told from the others. */
  const taken = new Set<string>()
  const priced = new Set<string>()
  let serial = 1_000_000

  const note = (trick: Trick, house: House, what: string) => plot.planted.push({ trick, house, what })
  const houseOf = () => dice.pick(['openai', 'anthropic'] as const)
  const dayName = (day: number) => new Date(start + day * DAY).toISOString().slice(0, 10)
  /** A model and a day that nothing was planted in, with a call added so that there is one. */
  function free(
    house: House,
    wants: (model: string) => boolean = () => true,
  ): { model: string; day: number; pair: Pair } {
    const models = MODELS[house].filter((model) => model !== SELF_COUNTED[house] && wants(model))
    for (;;) {
      const [model, day] = [dice.pick(models), dice.between(0, days - 1)]
      const name = `${model}/${day}`
      if (taken.has(name)) continue
      taken.add(name)
      const at = start + day * DAY + dice.between(1, 22) * HOUR + dice.between(1000, HOUR - 2000)
      let pair = callAt(dice, house, model, at, start, serial++)
      while (pair.served[0]!.lane === 'bulk') pair = callAt(dice, house, model, at, start, serial++)
      pairs.push(pair)
      return { model, day, pair }
    }
  }
  function priceless(house: House, wants: (model: string) => boolean = () => true): string {
    const models = MODELS[house].filter((model) => model !== SELF_COUNTED[house] && !priced.has(model) && wants(model))
    const model = dice.pick(models)
    priced.add(model)
    return model
  }

  const plants: Record<Trick, () => void> = {
    'asked-twice'() {
      const house = houseOf()
      const { model, day, pair } = free(house)
      pair.served.push({ ...pair.served[0]! })
      pair.note!.attempts = [{ billable: 'unknown' }, { status: 200, billable: 'yes' }]
      note('asked-twice', house, `${model} on ${dayName(day)}`)
    },
    'cut-stream'() {
      const house = houseOf()
      const { model, day, pair } = free(house)
      const { 'output.text': _, ...usage } = pair.note!.usage!
      Object.assign(pair.note!, { usage, usageSource: 'partial', stream: true, error: 'aborted' })
      note('cut-stream', house, `${model} on ${dayName(day)}`)
    },
    'old-tariff'() {
      const house = houseOf()
      const model = priceless(house)
      const day = dice.between(0, days - 1)
      callOn(house, model, day)
      plot.surprises.push({ house, model, since: start + day * DAY, of: 125n })
      note('old-tariff', house, `${model} since ${dayName(day)}`)
    },
    'dear-cache'() {
      const house = houseOf()
      const model = priceless(house, keepsCaches)
      const day = dice.between(0, days - 1)
      const pair = callOn(house, model, day)
      const served = { ...pair.served[0]!, counts: { ...pair.served[0]!.counts, kept: 4321 } }
      pair.served = [served]
      pair.note!.usage = {
        ...pair.note!.usage,
        [house === 'openai' ? 'input.text.cache_write' : 'input.text.cache_write_5m']: 4321,
      }
      plot.surprises.push({ house, model, since: start + day * DAY, units: ['kept'], of: 160n })
      note('dear-cache', house, `${model} since ${dayName(day)}`)
    },
    'bulk-undiscounted'() {
      const house = houseOf()
      const model = priceless(house)
      const day = dice.between(0, days - 1)
      const pair = callOn(house, model, day)
      const { counts } = pair.served[0]!
      const plain = { ...counts, reread: 0, kept: 0, keptLong: 0 }
      pair.served = [{ ...pair.served[0]!, lane: 'bulk', counts: plain }]
      Object.assign(pair.note!, {
        serviceTier: 'batch',
        usage: { 'input.text': plain.fresh, 'output.text': plain.said },
      })
      for (const other of pairs)
        if (other.day === day)
          other.served = other.served.map((served) =>
            served.model === model && served.lane === 'bulk' ? { ...served, fullPrice: true } : served,
          )
      note('bulk-undiscounted', house, `${model} on ${dayName(day)}`)
    },
    stranger() {
      const house = houseOf()
      for (let i = dice.between(3, 6); i > 0; i--) {
        const { pair } = free(house)
        pair.note = undefined
        const key = house === 'openai' ? 'key_unknown' : 'apikey_unknown'
        pair.served = pair.served.map((served) => ({ ...served, key, profile: null }))
      }
      note('stranger', house, 'a key that no application here has')
    },
    'ghost-prompt'() {
      const house = houseOf()
      const { model, day } = free(house)
      const extra = dice.between(40, 400)
      onDay(model, day, (served) => ({ ...served, counts: { ...served.counts, fresh: served.counts.fresh + extra } }))
      note('ghost-prompt', house, `${model} on ${dayName(day)}, ${extra} tokens a request`)
    },
    'other-engine'() {
      const house = houseOf()
      const { model, day, pair } = free(house, (it) => keepsCaches(it) || house === 'openai')
      const other = dice.pick(
        MODELS[house].filter(
          (it) => it !== model && it !== SELF_COUNTED[house] && (keepsCaches(it) || !keepsCaches(model)),
        ),
      )
      taken.add(`${other}/${day}`)
      pair.served = pair.served.map((served) => ({ ...served, model: other }))
      note('other-engine', house, `${other} for ${model} on ${dayName(day)}`)
    },
    'padded-answer'() {
      const house = houseOf()
      const { model, day } = free(house)
      onDay(model, day, (served) => ({
        ...served,
        counts: { ...served.counts, said: served.counts.said + Math.ceil(served.counts.said * 0.2) },
      }))
      note('padded-answer', house, `${model} on ${dayName(day)}`)
    },
    'new-vocabulary'() {
      const house = houseOf()
      const model = SELF_COUNTED[house]
      const from = dice.between(Math.floor(days / 3), Math.max(0, days - 2))
      callOn(house, model, days - 1)
      for (let day = from; day < days; day++)
        onDay(model, day, (served) => ({
          ...served,
          counts: {
            ...served.counts,
            fresh: Math.round(served.counts.fresh * 1.3),
            said: Math.round(served.counts.said * 1.3),
          },
        }))
      note('new-vocabulary', house, `${model} since ${dayName(from)}`)
    },
    rebate() {
      const house = houseOf()
      const day = dice.between(0, Math.floor(days / 2))
      plot.surprises.push({ house, since: start + day * DAY, of: 90n })
      note('rebate', house, `10 % since ${dayName(day)}`)
    },
    waived() {
      const house = houseOf()
      const { model, day, pair } = free(house)
      pair.served = []
      pair.note!.error = 'aborted'
      note('waived', house, `${model} on ${dayName(day)}`)
    },
    'unlisted-call'() {
      // Only where requests are counted can one that is missing be told from tokens that are.
      const { model, day, pair } = free('openai')
      pair.note = undefined
      callOn('openai', model, day, pair.served[0]!.at)
      note('unlisted-call', 'openai', `${model} on ${dayName(day)}`)
    },
    'late-clock'() {
      const house = houseOf()
      const { model, day, pair } = free(house)
      const next = (Math.floor(pair.served[0]!.at / HOUR) + 1) * HOUR
      pair.note!.timestamp = new Date(next - 40).toISOString()
      pair.served = pair.served.map((served) => ({ ...served, at: next + 60 }))
      note('late-clock', house, `${model} on ${dayName(day)}`)
    },
  }

  /** An ordinary call of a model on a day, so that there is one. */
  function callOn(house: House, model: string, day: number, at?: number): Pair {
    const when = at ?? start + day * DAY + dice.between(1, 22) * HOUR + dice.between(1000, HOUR - 2000)
    let pair = callAt(dice, house, model, when, start, serial++)
    while (pair.served[0]!.lane === 'bulk') pair = callAt(dice, house, model, when, start, serial++)
    pairs.push(pair)
    return pair
  }
  function onDay(model: string, day: number, change: (served: Served) => Served): void {
    for (const pair of pairs)
      if (pair.day === day)
        pair.served = pair.served.map((served) => (served.model === model ? change(served) : served))
  }

  // What is in the counts comes after what adds calls, and what is asked of a lane comes last.
  const order = ['unlisted-call', 'stranger', 'old-tariff', 'dear-cache', 'rebate', 'bulk-undiscounted'] as const
  const first = tricks.filter((trick) => (order as readonly Trick[]).includes(trick))
  const rest = tricks.filter((trick) => !first.includes(trick))
  for (const trick of [...order.filter((it) => first.includes(it)), ...rest]) plants[trick]()
  return plot
}
