// Ways of doing one thing, each in a process of its own, measured in turns: what else the machine does hits them alike.

import { type ChildProcess, fork } from 'node:child_process'
import { setImmediate as turn } from 'node:timers/promises'
import { median, quantile, uncertainty } from './statistics.ts'

/** What one round measured: numbers by name, the same names in every round. */
export type Figures = Readonly<Record<string, number>>
export type Round = () => Promise<Figures>

export interface Way {
  readonly name: string
  /** Runs in the way's own process; `shared` is what the contest's `prepare` gave. */
  open(shared: string): Promise<Round>
}

export interface Contest {
  readonly size: Size
  /** The first is what the others are compared with. */
  readonly ways: readonly Way[]
  /** Starts what all ways need, a server as a rule; gives its address and the way to stop it. */
  prepare?(): Promise<{ readonly shared: string; stop(): Promise<void> }>
}

export interface Size {
  readonly rounds: number
  /** Rounds that are thrown away: the compiler is still at work in them. */
  readonly warmUp: number
}

export interface Comparison {
  /** The median over the rounds. */
  of(way: string, figure: string): number
  /** The median difference from the first way's figure in the same turn. */
  added(way: string, figure: string): number
  /** Half the width of its 95 % interval. */
  within(way: string, figure: string): number
  /** The difference of the fastest tenths: what is left where the machine was left alone. */
  addedAtBest(way: string, figure: string): number
  atBest(way: string, figure: string): number
  all(way: string, figure: string): readonly number[]
}

const mine = process.argv
  .find((word) => word.startsWith('--way='))
  ?.slice('--way='.length)
  .split('.')
  .map(Number)

/** Plays the contests one after the other. In the process of a way it never returns: it plays that way's rounds. */
export async function play(contests: readonly Contest[]): Promise<Comparison[]> {
  if (mine) return serve(contests[mine[0]!]!.ways[mine[1]!]!)
  const comparisons: Comparison[] = []
  for (const [at, contest] of contests.entries()) comparisons.push(await take(at, contest))
  return comparisons
}

async function serve(way: Way): Promise<never> {
  const round = await way.open(process.env.BENCH_SHARED ?? '')
  process.on('disconnect', () => process.exit(0))
  process.on('message', async () => {
    // Young objects only: a full collection throws compiled code away, and the next round would run at half the speed.
    globalThis.gc?.({ type: 'minor' })
    await turn()
    process.send?.(await round())
  })
  process.send?.({})
  return new Promise(() => {})
}

async function take(index: number, { ways, size, prepare }: Contest): Promise<Comparison> {
  const { rounds, warmUp } = size
  const prepared = await prepare?.()
  const players = ways.map((_, at) => start(`${index}.${at}`, prepared?.shared ?? ''))
  const series = ways.map(() => ({}) as Record<string, number[]>)
  try {
    for (const player of players) await answer(player)
    for (let round = -warmUp; round < rounds; round++) {
      for (let step = 0; step < ways.length; step++) {
        // Whoever goes first in one turn goes last in another.
        const at = (step + round + warmUp) % ways.length
        const player = players[at]!
        const answered = answer(player)
        player.send('go')
        const figures = await answered
        if (round < 0) continue
        for (const [name, value] of Object.entries(figures)) (series[at]![name] ??= []).push(value)
      }
    }
  } finally {
    for (const player of players) if (player.connected) player.disconnect()
    await prepared?.stop()
  }
  return comparison(new Map(ways.map(({ name }, at) => [name, series[at]!])), ways[0]!.name)
}

function start(way: string, shared: string): ChildProcess {
  return fork(process.argv[1]!, [...process.argv.slice(2), `--way=${way}`], {
    execArgv: ['--expose-gc'],
    env: { ...process.env, BENCH_SHARED: shared },
  })
}

function answer(player: ChildProcess): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null) => reject(new Error(`A way ended with ${code} in the middle of the contest.`))
    player.once('exit', died)
    player.once('message', (figures) => {
      player.off('exit', died)
      resolve(figures as Figures)
    })
  })
}

function comparison(series: ReadonlyMap<string, Readonly<Record<string, number[]>>>, first: string): Comparison {
  const all = (way: string, figure: string) => series.get(way)?.[figure] ?? []
  const differences = (way: string, figure: string) => {
    const baseline = all(first, figure)
    return all(way, figure).map((value, at) => value - baseline[at]!)
  }
  const atBest = (way: string, figure: string) => quantile(all(way, figure), 0.1)
  return {
    all,
    of: (way, figure) => median(all(way, figure)),
    added: (way, figure) => median(differences(way, figure)),
    within: (way, figure) => uncertainty(differences(way, figure)),
    atBest,
    addedAtBest: (way, figure) => atBest(way, figure) - atBest(first, figure),
  }
}

export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
