// Plain calls in turns: the SDK alone, alone once more for the noise, metered, and metered under a limit.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Meter } from 'tallygate'
import { limited, metered } from './meters.ts'
import { plus } from './report.ts'
import type { Opened, Sdk, Target } from './sdks.ts'
import { median, quantile } from './statistics.ts'
import { type Comparison, cpuMicros, type Figures, type Round, type Way } from './turns.ts'

export const PLAIN = 'plain SDK'
export const WAYS = [PLAIN, 'plain again', 'metered, priced', 'and held against a limit', 'and into SQLite'] as const

export interface Calls {
  readonly sdk: Sdk
  readonly callsPerRound: number
  target(shared: string): Target
  /** What `new Meter()` must know of the target. */
  hosts?(shared: string): Readonly<Record<string, string>>
}

type Start = (opened: Opened) => Promise<Meter | undefined>

export function waysOf(calls: Calls): Way[] {
  const { sdk } = calls
  const starts: Record<(typeof WAYS)[number], (hosts: Readonly<Record<string, string>>) => Start> = {
    'plain SDK': () => async () => undefined,
    'plain again': () => async () => undefined,
    'metered, priced': (hosts) => async (opened) => metered(sdk, opened, { hosts }),
    'and held against a limit': (hosts) => async (opened) => limited(sdk, opened, { hosts }),
    'and into SQLite': (hosts) => async (opened) => limited(sdk, opened, { hosts, sinks: undefined, dir: folder() }),
  }
  return WAYS.map((name) => ({
    name,
    async open(shared) {
      const opened = await sdk.open(calls.target(shared))
      const meter = await starts[name](calls.hosts?.(shared) ?? {})(opened)
      return round(opened, meter, calls.callsPerRound)
    },
  }))
}

/** A round that metered what it should not, or not what it should, ends the run. */
function round({ call }: Opened, meter: Meter | undefined, calls: number): Round {
  const one = meter ? () => meter.forTenant('acme', call) : call
  return async () => {
    const before = meter?.stats().calls ?? 0
    const figures = await timed(one, calls, () => meter?.flush())
    const seen = (meter?.stats().calls ?? 0) - before
    if (seen !== (meter ? calls : 0)) throw new Error(`The meter saw ${seen} of ${calls} calls.`)
    return figures
  }
}

async function timed(call: () => Promise<unknown>, calls: number, after: () => unknown): Promise<Figures> {
  const times = new Float64Array(calls)
  const cpu = cpuMicros()
  for (let at = 0; at < calls; at++) {
    const start = performance.now()
    await call()
    times[at] = (performance.now() - start) * 1000
  }
  // Delivery is on nobody's path, but it is CPU all the same.
  await after()
  return { p50: median(times), p99: quantile(times, 0.99), cpu: (cpuMicros() - cpu) / calls }
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}

export const COLUMNS = ['SDK', 'way', 'p50', 'added p50', 'at best', 'ratio', 'p99', 'CPU', 'added CPU'] as const

export function rowsOf(title: string, result: Comparison): string[][] {
  return WAYS.map((way) => [
    title,
    way,
    result.of(way, 'p50').toFixed(1),
    way === PLAIN ? '' : `${plus(result.added(way, 'p50'))} ± ${result.within(way, 'p50').toFixed(1)}`,
    way === PLAIN ? result.atBest(way, 'p50').toFixed(1) : plus(result.addedAtBest(way, 'p50')),
    (result.of(way, 'p50') / result.of(PLAIN, 'p50')).toFixed(2),
    result.of(way, 'p99').toFixed(0),
    result.of(way, 'cpu').toFixed(1),
    way === PLAIN ? '' : plus(result.added(way, 'cpu')),
  ])
}
