// An application whose calls go through `fetch` alone: no SDK is patched unless the test does it.

import { onTestFinished } from 'vitest'
import { type Emulator, type Reply, startEmulator } from '../../src/emulator/index.ts'
import type { LLMEvent } from '../../src/event.ts'
import { Meter } from '../../src/meter.ts'
import type { MeterOptions } from '../../src/options.ts'
import type { Problem } from '../../src/problems.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { temporaryFolder } from './ingest.ts'

export interface Netted {
  readonly meter: Meter
  readonly emulator: Emulator
  readonly problems: Problem[]
  /** What was recorded so far. */
  events(): Promise<readonly LLMEvent[]>
}

const NOON = new Date('2026-11-22T12:00:00Z')

/** An emulator that gives the same answers, ids and times included, as any other that is asked the same. */
async function emulated(replies: readonly Reply[] = []): Promise<Emulator> {
  const emulator = await startEmulator({ now: () => NOON })
  onTestFinished(() => emulator.close())
  emulator.reply(...replies)
  return emulator
}

export async function netted(options: MeterOptions = {}, replies?: readonly Reply[]): Promise<Netted> {
  const emulator = await emulated(replies)
  const sink = memorySink()
  const problems: Problem[] = []
  // With an emulator that gives the same ids each time, what an earlier run noted of its jobs would count as told.
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const meter = new Meter({
    dir: folder.path,
    sinks: [sink],
    onProblem: (problem) => problems.push(problem),
    ...options,
    hosts: { ...emulator.hosts, ...options.hosts },
  })
  meter.patch('fetch')
  onTestFinished(() => meter.close())
  return {
    meter,
    emulator,
    problems,
    async events() {
      await meter.flush()
      return sink.events
    },
  }
}

export interface Compared<T> extends Netted {
  readonly plain: T
  readonly metered: T
  readonly recorded: readonly LLMEvent[]
}

/** What `run` gives without a meter, and with the net, in the name of `acme`; each with an emulator of its own. */
export async function compared<T>(
  run: (emulator: Emulator) => Promise<T>,
  replies: readonly Reply[] = [],
  options: MeterOptions = {},
): Promise<Compared<T>> {
  const plain = await run(await emulated(replies))
  const net = await netted(options, replies)
  const metered = await net.meter.forTenant('acme', () => run(net.emulator))
  const recorded = await net.events()
  net.meter.unpatch('fetch')
  return { ...net, plain, metered, recorded }
}

/** What an event says of usage and money, to be held against the emulator's bill. */
export function billed(events: readonly LLMEvent[]): readonly object[] {
  return events.map(({ provider, model, requestId, inputTokens, outputTokens, costUsd }) => ({
    provider,
    model,
    requestId,
    inputTokens,
    outputTokens,
    usd: costUsd,
  }))
}

export function billOf(emulator: Emulator): readonly object[] {
  return emulator.bill().lines.map(({ provider, model, requestId, inputTokens, outputTokens, usd }) => ({
    provider,
    model,
    requestId: provider === 'google' ? undefined : requestId,
    inputTokens,
    outputTokens,
    usd,
  }))
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
