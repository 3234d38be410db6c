// What the net costs: calls of `fetch` that are for no model, side by side with none patched, and those that are.

import { answering, CHAT } from './answers.ts'
import { meterOf } from './meters.ts'
import { isQuick, plus, report } from './report.ts'
import { median } from './statistics.ts'
import { type Contest, cpuMicros, type Figures, play, type Way } from './turns.ts'

const size = isQuick ? { rounds: 40, warmUp: 40 } : { rounds: 400, warmUp: 200 }

const settled = Promise.resolve(new Response(null))
const calls = isQuick ? 2000 : 5000

/** As an application writes them: another path for each, of a few hosts. */
const URLS = Array.from({ length: 1000 }, (_, at) => `https://api-${at % 20}.example.com/v1/items/${at}?page=${at % 7}`)
const INIT = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"a"}' }

const INPUTS = {
  text: URLS,
  URL: URLS.map((url) => new URL(url)),
  Request: URLS.map((url) => new Request(url)),
} as const
type Kind = keyof typeof INPUTS

/** Nothing but the way to the original: its answer is there already. */
function others(name: string, kind: Kind, isPatched: boolean): Way {
  return {
    name,
    async open() {
      globalThis.fetch = (() => settled) as typeof fetch
      const meter = isPatched ? meterOf() : undefined
      meter?.patch('fetch')
      const inputs = INPUTS[kind]
      return async (): Promise<Figures> => {
        const start = performance.now()
        for (let at = 0; at < calls; at++) void fetch(inputs[at % inputs.length]!, INIT)
        const each = ((performance.now() - start) * 1e6) / calls
        if (meter && meter.stats().calls > 0) throw new Error('A call to another host was metered.')
        return { each }
      }
    },
  }
}

const PROMPT = 'How deep is the sea, and why does nobody know? '.repeat(20)
const ASKED = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: PROMPT }] })

/** A call to a model, answered at once. */
function models(name: string, isPatched: boolean): Way {
  return {
    name,
    async open() {
      globalThis.fetch = answering(CHAT)
      const meter = isPatched ? meterOf() : undefined
      meter?.patch('fetch')
      const call = async () =>
        (await fetch('https://api.openai.com/v1/chat/completions', { ...INIT, body: ASKED })).json()
      const one = meter ? () => meter.forTenant('acme', call) : call
      return async (): Promise<Figures> => {
        const times = new Float64Array(50)
        const before = meter?.stats().calls ?? 0
        const cpu = cpuMicros()
        for (let at = 0; at < times.length; at++) {
          const start = performance.now()
          await one()
          times[at] = (performance.now() - start) * 1000
        }
        await meter?.flush()
        if ((meter?.stats().calls ?? 0) - before !== (meter ? times.length : 0))
          throw new Error('A call was not metered.')
        return { each: median(times), cpu: (cpuMicros() - cpu) / times.length }
      }
    },
  }
}

const KINDS: readonly (readonly [string, Kind])[] = [
  ['a text', 'text'],
  ['a URL', 'URL'],
  ['a Request', 'Request'],
]
const contests: Contest[] = KINDS.map(([, kind]) => ({
  size,
  ways: [others('unpatched', kind, false), others('unpatched again', kind, false), others('the net', kind, true)],
}))
contests.push({ size, ways: [models('unpatched', false), models('unpatched again', false), models('the net', true)] })

const results = await play(contests)
const last = results.pop()!

report({
  title: 'A call of `fetch` to another host, with the net (ns)',
  columns: ['given as', 'way', 'a call', 'added', 'at best'],
  rows: results.flatMap(({ of, added, within, addedAtBest }, at) =>
    contests[at]!.ways.map(({ name }, way) => [
      KINDS[at]![0],
      name,
      of(name, 'each').toFixed(0),
      way === 0 ? '' : `${plus(added(name, 'each'), 0)} ± ${within(name, 'each').toFixed(0)}`,
      way === 0 ? '' : plus(addedAtBest(name, 'each'), 0),
    ]),
  ),
  notes: [`Medians of ${size.rounds} rounds of ${calls} calls, with a \`fetch\` below that only gives back a promise.`],
})

report({
  title: 'A call of `fetch` to a model, with the net (µs)',
  columns: ['way', 'a call', 'added', 'at best', 'CPU', 'added CPU'],
  rows: contests
    .at(-1)!
    .ways.map(({ name }, way) => [
      name,
      last.of(name, 'each').toFixed(1),
      way === 0 ? '' : `${plus(last.added(name, 'each'))} ± ${last.within(name, 'each').toFixed(1)}`,
      way === 0 ? '' : plus(last.addedAtBest(name, 'each')),
      last.of(name, 'cpu').toFixed(1),
      way === 0 ? '' : plus(last.added(name, 'cpu')),
    ]),
  notes: [
    '`fetch` answers at once with 1 kB of JSON, which the caller parses; CPU includes delivery, to a sink that forgets.',
  ],
})
