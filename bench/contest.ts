// One kind of call, plain and metered in turns, in every way that is to be compared.

import type { Meter } from 'tallygate'
import { cpuMicros, type Figures, type Series, type Subject, takeTurns } from './rounds.ts'
import type { Sdk, Target } from './sdks.ts'
import { added, median, quantile } from './statistics.ts'

export const PLAIN = 'plain SDK'

export interface Way {
  readonly name: string
  readonly meter?: Meter
}

export interface Size {
  readonly rounds: number
  readonly warmUp: number
  readonly callsPerRound: number
}

/** Every way has a copy of the SDK of its own. A round that metered what it should not, or not what it should, ends the run. */
export async function contest(sdk: Sdk, target: Target, ways: readonly Way[], size: Size): Promise<Comparison> {
  const everyMeter = ways.flatMap(({ meter }) => meter ?? [])
  const subjects = await Promise.all(
    ways.map(async ({ name, meter }, at): Promise<Subject> => {
      const { module, call } = await sdk.open(`${sdk.title}-${at}`, target)
      meter?.patch(sdk.sdk, { modules: [module] })
      const one = meter ? () => meter.forTenant('acme', call) : call
      return {
        name,
        async round() {
          const before = everyMeter.map((each) => each.stats().calls)
          const figures = await timed(one, size.callsPerRound, async () => meter?.flush())
          const seen = everyMeter.map((each, index) => each.stats().calls - before[index]!)
          const expected = everyMeter.map((each) => (each === meter ? size.callsPerRound : 0))
          if (seen.join() !== expected.join()) throw new Error(`${name}: the meters saw ${seen} calls, not ${expected}`)
          return figures
        },
      }
    }),
  )
  return comparison(await takeTurns(subjects, size))
}

async function timed(call: () => Promise<unknown>, calls: number, after: () => Promise<unknown>): Promise<Figures> {
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

export interface Comparison {
  /** The median of a figure over the rounds. */
  of(name: string, figure: string): number
  /** What a way adds to the plain SDK's figure in the same turn. */
  added(name: string, figure: string): { middle: number; within: number }
}

export function comparison(all: ReadonlyMap<string, Series>): Comparison {
  const series = (name: string, figure: string) => all.get(name)?.[figure] ?? []
  return {
    of: (name, figure) => median(series(name, figure)),
    added: (name, figure) => added(series(name, figure), series(PLAIN, figure)),
  }
}
