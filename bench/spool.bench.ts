// What the spool costs the caller for each event, and how fast events go from it to the sinks.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDelivery } from '../src/delivery/delivery.ts'
import { eventId, isoTime, type LLMEvent } from '../src/event.ts'
import { createProblems } from '../src/problems.ts'
import { httpSink } from '../src/sinks/http.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { sqliteLedger } from '../src/sinks/sqlite.ts'
import { API_KEY, startPeer } from './peer.ts'
import { isQuick, report } from './report.ts'

const EVENTS = isQuick ? 20_000 : 100_000
const folders: string[] = []
process.once('exit', () => {
  for (const made of folders) rmSync(made, { recursive: true, force: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  folders.push(made)
  return made
}

const problems = createProblems({
  raiseOnError: false,
  onProblem({ message }) {
    console.error(message)
    process.exit(1)
  },
})

/** As a priced chat call makes it: some 870 bytes of JSON. */
function event(): LLMEvent {
  const now = Date.now()
  return Object.freeze<LLMEvent>({
    eventId: eventId(now),
    timestamp: isoTime(now),
    provider: 'openai',
    host: 'api.openai.com',
    model: 'gpt-4o-2024-08-06',
    endpoint: 'chat.completions',
    stream: false,
    usageSource: 'reported',
    attempts: [{ status: 200, requestId: 'req_0123456789abcdef', billable: 'yes' }],
    durationMs: 812,
    tenantId: 'acme',
    modelRequested: 'gpt-4o',
    usage: { input: 1200, output: 340 } as LLMEvent['usage'] & object,
    inputTokens: 1200,
    outputTokens: 340,
    totalTokens: 1540,
    costSource: 'priced',
    costUsd: '0.0064',
    costLines: [
      { bucket: 'input', quantity: 1200, costUsd: '0.003', rate: 'openai/gpt-4o' },
      { bucket: 'output', quantity: 340, costUsd: '0.0034', rate: 'openai/gpt-4o' },
    ],
    priceVersion: '2026-11-22',
    requestId: 'req_0123456789abcdef',
    responseId: 'chatcmpl-0123456789abcdef',
    metadata: { http_status: 200, finish_reason: 'stop', max_tokens: 1000 },
  })
}

const discard: Sink = { name: 'discard', send: async () => ({ outcome: 'delivered' }) }

function quantile(sorted: Float64Array, part: number): string {
  return sorted[Math.floor(sorted.length * part)]!.toFixed(1)
}

/** The caller's own time in `add`, with the queue emptied between. */
async function callersCost(durability: 'memory' | 'os' | 'fsync'): Promise<string[]> {
  const delivery = createDelivery({
    sinks: [discard],
    problems,
    maxQueueSize: 10_000,
    spool: { dir: folder(), durability },
  })
  const micros = new Float64Array(EVENTS)
  const made = Array.from({ length: 1000 }, event)
  for (let round = -5; round < EVENTS / 1000; round++) {
    for (let at = 0; at < 1000; at++) {
      const start = process.hrtime.bigint()
      delivery.add(made[at]!)
      if (round >= 0) micros[round * 1000 + at] = Number(process.hrtime.bigint() - start) / 1000
    }
    await delivery.flush()
  }
  await delivery.close()
  micros.sort()
  return [`durability: '${durability}'`, quantile(micros, 0.5), quantile(micros, 0.99), quantile(micros, 0.999)]
}

/** How fast what is in the spool reaches a sink that was down while it was written. */
async function throughput(name: string, sink: Sink, maxBatchSize: number): Promise<string[]> {
  const dir = folder()
  const down: Sink = { name: sink.name, send: async () => ({ outcome: 'retry', error: new Error('down') }) }
  const before = createDelivery({ sinks: [down], problems: silent, maxQueueSize: 10, spool: { dir } })
  for (let at = 0; at < EVENTS; at++) before.add(event())
  await before.close(0)
  const delivery = createDelivery({ sinks: [sink], problems, maxBatchSize, maxQueueSize: 10_000, spool: { dir } })
  const cpu = process.cpuUsage()
  const start = performance.now()
  await delivery.drainOrphans()
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  const { delivered } = delivery.stats()
  await delivery.close()
  if (delivered !== EVENTS) throw new Error(`${delivered} events of ${EVENTS} were delivered.`)
  const micros = (used.user + used.system) / EVENTS
  return [name, String(maxBatchSize), Math.round(EVENTS / seconds).toLocaleString('en'), micros.toFixed(1)]
}

const silent = createProblems({ raiseOnError: false, onProblem: () => {} })

report({
  title: 'An event recorded, its JSON included (µs of the caller)',
  columns: ['', 'p50', 'p99', 'p99.9'],
  rows: [await callersCost('memory'), await callersCost('os'), await callersCost('fsync')],
  notes: [`Of ${EVENTS.toLocaleString('en')} events of some 870 bytes, after 5,000 to warm up, in lots of 1,000.`],
})

const peer = await startPeer('sponge', join(folder(), 'ledger.db'))
const http = () => httpSink({ url: peer.addresses['ingest']!, apiKey: API_KEY })
const ledger = () => sqliteLedger({ path: join(folder(), 'ledger.db') })
report({
  title: 'From the spool of a dead process',
  columns: ['to', 'batch', 'events a second', 'CPU an event (µs)'],
  rows: [
    await throughput('a sink that forgets', { ...discard }, 50),
    await throughput('the embedded SQLite ledger', ledger(), 50),
    await throughput('the embedded SQLite ledger', ledger(), 1000),
    await throughput('HTTP, an endpoint that only says 202', http(), 50),
    await throughput('HTTP, an endpoint that only says 202', http(), 1000),
  ],
  notes: [`${EVENTS.toLocaleString('en')} events of some 870 bytes; the CPU is of the sending process.`],
})
peer.stop()
