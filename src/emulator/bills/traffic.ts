// A month of mixed calls, as the application logged them and as the provider served them: the same, until a fault is planted.

import { type Counts, type House, keepsCaches, MODELS, type Served } from './counter.ts'
import type { Dice } from './dice.ts'

/** A call as a meter writes it down. */
export interface Note {
  eventId: string
  timestamp: string
  tenantId: string
  provider: House
  model: string
  endpoint: string
  serviceTier?: string
  usage?: Record<string, number>
  usageSource: 'reported' | 'partial' | 'estimated' | 'absent'
  attempts?: { status?: number; billable: 'yes' | 'no' | 'unknown' }[]
  error?: string
  stream?: boolean
}

export interface Pair {
  /** `undefined`: it is in no log. */
  note: Note | undefined
  /** Nothing: it was not billed. Two: it was billed twice. */
  served: Served[]
  readonly day: number
  readonly hour: number
}

export interface TrafficOptions {
  readonly dice: Dice
  /** Midnight in UTC. */
  readonly start: number
  readonly days: number
  readonly calls: number
}

const HOUR = 3_600_000
const KEYS: Readonly<Record<House, readonly (readonly [key: string, place: string])[]>> = {
  openai: [
    ['key_web', 'proj_app'],
    ['key_jobs', 'proj_app'],
  ],
  anthropic: [
    ['apikey_web', 'wrkspc_app'],
    ['apikey_jobs', 'wrkspc_jobs'],
  ],
}

/** Whose rates are counted by the application itself, so that a change of vocabulary shows. */
export const SELF_COUNTED: Readonly<Record<House, string>> = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-6' }

export function traffic({ dice, start, days, calls }: TrafficOptions): Pair[] {
  const pairs: Pair[] = []
  for (let i = 0; i < calls; i++) {
    const house = dice.pick(['openai', 'anthropic'] as const)
    // Each day of each model has a call, so that there is always one to plant a fault in.
    const model = dice.pick(MODELS[house])
    const day = dice.between(0, days - 1)
    const at = start + day * 24 * HOUR + dice.between(0, 23) * HOUR + dice.between(1000, HOUR - 2000)
    pairs.push(callAt(dice, house, model, at, start, i))
  }
  return pairs
}

export function callAt(dice: Dice, house: House, model: string, at: number, start: number, serial: number): Pair {
  const isBulk = model !== SELF_COUNTED[house] && dice.next() < 0.15
  const [key, place] = dice.pick(KEYS[house])
  const caches = !isBulk && model !== SELF_COUNTED[house] && dice.next() < 0.4
  const counts: Counts = {
    fresh: dice.between(400, 6000),
    reread: caches ? dice.between(1000, 9000) : 0,
    kept: caches && keepsCaches(model) && dice.next() < 0.6 ? dice.between(1000, 5000) : 0,
    keptLong: caches && house === 'anthropic' && dice.next() < 0.3 ? dice.between(1000, 4000) : 0,
    said: dice.between(300, 2500),
  }
  const profile = house === 'anthropic' ? dice.pick(['uprof_acme', 'uprof_globex']) : null
  const served: Served = { house, at, model, lane: isBulk ? 'bulk' : 'usual', key, place, profile, counts }
  return {
    note: noteOf(served, serial),
    served: [served],
    day: Math.floor((at - start) / (24 * HOUR)),
    hour: Math.floor((at - start) / HOUR),
  }
}

function noteOf({ house, at, model, lane, counts, profile }: Served, serial: number): Note {
  const isOpenAi = house === 'openai'
  return {
    eventId: idOf(at, serial),
    timestamp: new Date(at).toISOString(),
    tenantId: profile === null ? `tenant-${serial % 5}` : profile.slice('uprof_'.length),
    provider: house,
    model,
    endpoint: isOpenAi ? 'chat.completions' : 'messages',
    serviceTier: lane === 'bulk' ? 'batch' : isOpenAi ? 'default' : 'standard',
    usage: usageOf(house, counts),
    usageSource: model === SELF_COUNTED[house] ? 'estimated' : 'reported',
    attempts: [{ status: 200, billable: 'yes' }],
  }
}

export function usageOf(house: House, { fresh, reread, kept, keptLong, said }: Counts): Record<string, number> {
  const written = house === 'openai' ? 'input.text.cache_write' : 'input.text.cache_write_5m'
  const all = {
    'input.text': fresh,
    'input.text.cache_read': reread,
    [written]: kept,
    'input.text.cache_write_1h': keptLong,
    'output.text': said,
  }
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0))
}

/** A UUIDv7 by its time and a number. */
function idOf(at: number, serial: number): string {
  const time = at.toString(16).padStart(12, '0')
  const tail = serial.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`
}
