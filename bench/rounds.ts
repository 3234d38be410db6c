// Takes turns: one round of each subject after the other, so that what else the machine does hits all of them alike.

import { setImmediate as turn } from 'node:timers/promises'

/** What one round measured: numbers by name, the same names in every round of a subject. */
export type Figures = Readonly<Record<string, number>>

export interface Subject {
  readonly name: string
  round(): Promise<Figures>
}

export type Series = Readonly<Record<string, readonly number[]>>

export interface RoundOptions {
  readonly rounds: number
  /** Rounds that are thrown away: the compiler is still at work in them. */
  readonly warmUp: number
}

/** The series of each subject, index by index from the same turn. */
export async function takeTurns(
  subjects: readonly Subject[],
  { rounds, warmUp }: RoundOptions,
): Promise<Map<string, Series>> {
  const all = new Map(subjects.map(({ name }) => [name, {} as Record<string, number[]>]))
  for (let round = -warmUp; round < rounds; round++) {
    // Whoever goes first in one turn goes last in another.
    const order = subjects.map((_, at) => subjects[(at + round + warmUp) % subjects.length]!)
    for (const subject of order) {
      emptyNursery()
      await turn()
      const figures = await subject.round()
      if (round < 0) continue
      const series = all.get(subject.name)!
      for (const [name, value] of Object.entries(figures)) (series[name] ??= []).push(value)
    }
  }
  return all
}

/** Young objects only: a full collection throws compiled code away, and the next round would run at half the speed. */
function emptyNursery(): void {
  collector()({ type: 'minor' })
}

export function collectGarbage(): void {
  collector()()
}

function collector(): NonNullable<typeof globalThis.gc> {
  if (!globalThis.gc) throw new Error('Run the benchmarks with `npm run bench`: they need --expose-gc.')
  return globalThis.gc
}

export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
