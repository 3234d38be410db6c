// One way of reading a stream, timed: until its first chunk, for each chunk after it, and from the last one to the end.

import { limited } from './meters.ts'
import { openai, openaiStream, type Target } from './sdks.ts'
import { median } from './statistics.ts'
import { cpuMicros, type Figures, type Way } from './turns.ts'

export interface Streams {
  readonly name: string
  /** `include_usage`, by the caller. */
  readonly asksForUsage: boolean
  readonly isMetered: boolean
  readonly streamsPerRound: number
  target(shared: string): Target
  hosts?(shared: string): Readonly<Record<string, string>>
}

export function streamsWay({ name, asksForUsage, isMetered, streamsPerRound, target, hosts }: Streams): Way {
  return {
    name,
    async open(shared) {
      const opened = await openaiStream('.', target(shared), asksForUsage)
      const meter = isMetered ? await limited(openai('.'), opened, { hosts: hosts?.(shared) }) : undefined
      const one = meter ? () => meter.forTenant('acme', opened.call) : opened.call
      let shown: string | undefined
      return async () => {
        const before = meter?.stats().calls ?? 0
        const cpu = cpuMicros()
        const timings: Timing[] = []
        for (let at = 0; at < streamsPerRound; at++) timings.push(await timed(one))
        // Delivery is on nobody's path, but it is CPU all the same.
        await meter?.flush()
        const figures = { ...summed(timings), cpu: (cpuMicros() - cpu) / streamsPerRound }
        const metered = (meter?.stats().calls ?? 0) - before
        if (meter && metered !== streamsPerRound)
          throw new Error(`${metered} of ${streamsPerRound} streams were metered.`)
        const shapes = new Set(timings.map(({ shape }) => shape))
        shown ??= timings[0]!.shape
        if (shapes.size > 1 || !shapes.has(shown)) throw new Error(`The streams differ: ${[...shapes].join(', ')}.`)
        if (!asksForUsage && shown.includes('usage')) throw new Error('A usage that nobody asked for was shown.')
        return figures
      }
    },
  }
}

interface Timing {
  readonly first: number
  readonly each: number
  readonly end: number
  /** How many chunks, and what the first one held. */
  readonly shape: string
}

async function timed(call: () => Promise<AsyncIterable<object>>): Promise<Timing> {
  let chunks = 0
  let keys = ''
  let firstAt = 0
  let lastAt = 0
  const start = performance.now()
  for await (const chunk of await call()) {
    lastAt = performance.now()
    if (++chunks > 1) continue
    firstAt = lastAt
    keys = Object.keys(chunk).join()
  }
  const end = performance.now()
  return {
    first: (firstAt - start) * 1000,
    each: ((lastAt - firstAt) * 1000) / (chunks - 1),
    end: (end - lastAt) * 1000,
    shape: `${chunks} ${keys}`,
  }
}

function summed(timings: readonly Timing[]): Figures {
  const of = (figure: 'first' | 'each' | 'end') => median(timings.map((timing) => timing[figure]))
  return { first: of('first'), each: of('each'), end: of('end'), fixed: of('first') + of('end') }
}
