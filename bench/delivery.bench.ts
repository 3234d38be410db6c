// How fast events leave the queue: into the embedded ledger, and over HTTP.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MeterOptions } from 'tallygate'
import { answering, CHAT } from './answers.ts'
import { metered } from './meters.ts'
import { API_KEY, startPeer } from './peer.ts'
import { isQuick, report } from './report.ts'
import { openai } from './sdks.ts'
import { type Contest, cpuMicros, play } from './turns.ts'

const EVENTS = isQuick ? 1000 : 5000
const size = isQuick ? { rounds: 5, warmUp: 2 } : { rounds: 30, warmUp: 5 }
const sdk = openai('.')

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}

function contest(name: string, options: (shared: string) => MeterOptions, prepare?: Contest['prepare']): Contest {
  return {
    size,
    ...(prepare && { prepare }),
    ways: [
      {
        name,
        async open(shared) {
          const opened = await sdk.open({ fetch: answering(CHAT) })
          const meter = metered(sdk, opened, {
            ...options(shared),
            maxQueueSize: EVENTS + 1,
            flushIntervalMs: 600_000,
          })
          return async () => {
            for (let at = 0; at < EVENTS; at++) await meter.forTenant('acme', opened.call)
            const before = meter.stats().delivery.delivered
            const cpu = cpuMicros()
            const start = performance.now()
            await meter.flush()
            const seconds = (performance.now() - start) / 1000
            const sent = meter.stats().delivery.delivered - before
            if (meter.stats().delivery.queued > 0 || sent < EVENTS / 2)
              throw new Error(`${sent} events were delivered.`)
            return { rate: sent / seconds, cpu: (cpuMicros() - cpu) / sent }
          }
        },
      },
    ],
  }
}

const overHttp = (kind: 'sponge' | 'server') => async () => {
  const peer = await startPeer(kind, join(folder(), 'ledger.db'))
  return { shared: peer.addresses['ingest']!, stop: async () => peer.stop() }
}
const toUrl = (url: string): MeterOptions => ({ url, apiKey: API_KEY, sinks: undefined })

const contests = [
  contest('the embedded SQLite ledger', () => ({ dir: folder(), sinks: undefined })),
  contest('HTTP, an endpoint that only says 202', toUrl, overHttp('sponge')),
  contest('HTTP, `tallygate serve` with its ledger', toUrl, overHttp('server')),
]
const results = await play(contests)

report({
  title: 'From the queue',
  columns: ['to', 'events a second', 'CPU an event (µs)'],
  rows: contests.map(({ ways: [way] }, at) => [
    way!.name,
    Math.round(results[at]!.of(way!.name, 'rate')).toLocaleString('en'),
    results[at]!.of(way!.name, 'cpu').toFixed(1),
  ]),
  notes: [`Medians of ${size.rounds} flushes of ${EVENTS} events in batches of 50; the CPU is of the sending process.`],
})
