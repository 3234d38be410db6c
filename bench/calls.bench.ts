// What metering adds to one call that is not streamed: time and CPU, with a `fetch` that answers at once.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answering, CHAT, CONTENT, MESSAGE } from './answers.ts'
import { contest, PLAIN, type Size, type Way } from './contest.ts'
import { discard, meterOf } from './meters.ts'
import { isQuick, plus, report } from './report.ts'
import { anthropic, genai, openai, type Sdk } from './sdks.ts'

const size: Size = isQuick
  ? { rounds: 100, warmUp: 40, callsPerRound: 50 }
  : { rounds: 1000, warmUp: 100, callsPerRound: 50 }

const folder = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const rows: string[][] = []

async function measure(sdk: Sdk, json: string, others: readonly Way[] = []): Promise<void> {
  const stub = answering(json)
  // @google/genai takes no `fetch`; the others look it up when a client is made.
  globalThis.fetch = stub
  const limited = meterOf({ sinks: [discard] })
  await limited.setLimit('acme', { usd: 1_000_000 })
  const ways = [{ name: PLAIN }, { name: 'plain again' }, ...others, { name: 'metered, priced, limited', meter: limited }]
  const { of, added } = await contest(sdk, { fetch: stub }, ways, size)
  for (const { name } of ways) {
    const [p50, cpu] = [added(name, 'p50'), added(name, 'cpu')]
    rows.push(
      name === PLAIN
        ? [sdk.title, name, of(name, 'p50').toFixed(1), '', '1.00', of(name, 'p99').toFixed(0), of(name, 'cpu').toFixed(1), '']
        : [
            sdk.title,
            name,
            of(name, 'p50').toFixed(1),
            `${plus(p50.middle)} ± ${p50.within.toFixed(1)}`,
            (of(name, 'p50') / of(PLAIN, 'p50')).toFixed(2),
            of(name, 'p99').toFixed(0),
            of(name, 'cpu').toFixed(1),
            plus(cpu.middle),
          ],
    )
  }
  await limited.close()
}

const metered = meterOf({ sinks: [discard] })
const embedded = meterOf({ dir: folder })
await embedded.setLimit('acme', { usd: 1_000_000 })
await measure(openai('.'), CHAT, [
  { name: 'metered, priced', meter: metered },
  { name: 'limited, SQLite ledger', meter: embedded },
])
await Promise.all([metered.close(), embedded.close()])
await measure(openai('next'), CHAT)
await measure(anthropic, MESSAGE)
await measure(genai, CONTENT)

report({
  title: 'One call, not streamed, `fetch` answers at once (µs)',
  columns: ['SDK', 'way', 'p50', 'added p50', 'ratio', 'p99', 'CPU a call', 'added CPU'],
  rows,
  notes: [
    `Medians of ${size.rounds} rounds of ${size.callsPerRound} calls, the ways in turns, each with its own copy of the SDK; ` +
      'added: the median difference from the plain SDK in the same turn, with its 95 % interval. `plain again` is a second untouched copy: the noise.',
    'CPU is of all threads, delivery included: to a sink that forgets, or in the last way to the embedded SQLite ledger.',
  ],
})
