// What metering allocates for a call, and what of it stays.

import { setTimeout } from 'node:timers/promises'
import { answering, CHAT } from './answers.ts'
import { limited, metered } from './meters.ts'
import { isQuick, plus, report } from './report.ts'
import { openai } from './sdks.ts'
import { type Figures, play, type Way } from './turns.ts'

/** Few enough that no collection comes in between. */
const CALLS_A_WINDOW = 10
const CALLS_A_STRETCH = isQuick ? 4000 : 20_000
const STRETCHES = 5
const sdk = openai('.')

const NAMES = ['plain SDK', 'metered, priced', 'and held against a limit'] as const

type Measure = (call: () => Promise<unknown>, flush: () => Promise<unknown>) => Promise<Figures>

function ways(measure: Measure): Way[] {
  const starts = [() => undefined, metered, limited] as const
  return NAMES.map((name, at) => ({
    name,
    async open() {
      const opened = await sdk.open({ fetch: answering(CHAT) })
      const meter = await starts[at]!(sdk, opened)
      const call = meter ? () => meter.forTenant('acme', opened.call) : opened.call
      return () => measure(call, async () => meter?.flush())
    },
  }))
}

async function allocated(...[call, flush]: Parameters<Measure>): Promise<Figures> {
  const before = process.memoryUsage().heapUsed
  for (let at = 0; at < CALLS_A_WINDOW; at++) await call()
  const bytes = (process.memoryUsage().heapUsed - before) / CALLS_A_WINDOW
  await flush()
  return { bytes }
}

async function retained(...[call, flush]: Parameters<Measure>): Promise<Figures> {
  for (let at = 1; at <= CALLS_A_STRETCH; at++) {
    await call()
    if (at % 500 === 0) await flush()
  }
  // Once for what can go, once for what its finalizers held.
  for (let pass = 0; pass < 2; pass++) {
    globalThis.gc?.()
    await setTimeout(10)
  }
  return { heap: process.memoryUsage().heapUsed }
}

const [allocation, retention] = await play([
  { size: { rounds: isQuick ? 100 : 400, warmUp: isQuick ? 100 : 1000 }, ways: ways(allocated) },
  { size: { rounds: 1 + STRETCHES, warmUp: 1 }, ways: ways(retained) },
])

const between = STRETCHES * CALLS_A_STRETCH
report({
  title: 'Memory of a call that is not streamed',
  columns: [
    'way',
    'bytes allocated a call',
    'added',
    'heap in use (MB)',
    `${between.toLocaleString('en')} calls later (MB)`,
    'retained a call (bytes)',
  ],
  rows: NAMES.map((name, at) => {
    const heap = retention!.all(name, 'heap')
    const [first, last] = [heap[0]!, heap.at(-1)!]
    return [
      name,
      Math.round(allocation!.of(name, 'bytes')).toLocaleString('en'),
      at === 0 ? '' : plus(allocation!.added(name, 'bytes'), 0),
      (first / 1e6).toFixed(2),
      (last / 1e6).toFixed(2),
      ((last - first) / between).toFixed(1),
    ]
  }),
  notes: ['The heap is looked at after two full collections, each time with nothing in flight and the queue empty.'],
})
