// A process that finds ten million events of a dead one when it starts: how soon it works, how long it stands still, and
// what memory it takes: `npm run bench:backlog`, `npm run bench:backlog -- --events 100000`.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createDelivery } from '../src/delivery/delivery.ts'
import { eventId, isoTime, type LLMEvent } from '../src/event.ts'
import { createProblems } from '../src/problems.ts'
import type { Sink } from '../src/sinks/sink.ts'

const { values, positionals } = parseArgs({
  options: { events: { type: 'string', default: '10000000' } },
  allowPositionals: true,
})
const EVENTS = Number(values.events)
const MAX_SPOOL_BYTES = 2 ** 40
const silent = createProblems({ raiseOnError: false, onProblem: () => {} })

function event(): LLMEvent {
  const now = Date.now()
  return {
    eventId: eventId(now),
    timestamp: isoTime(now),
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    usage: { input: 1200, output: 340 } as LLMEvent['usage'] & object,
    inputTokens: 1200,
    outputTokens: 340,
    costUsd: '0.0064',
    costSource: 'priced',
  }
}

/** Writes them, and ends as a killed process does. */
function leave(dir: string): never {
  const down: Sink = { name: 'test', send: async () => ({ outcome: 'retry', error: new Error('down') }) }
  const spool = { dir, maxSpoolBytes: MAX_SPOOL_BYTES }
  const delivery = createDelivery({ sinks: [down], problems: silent, maxQueueSize: 10, spool })
  for (let at = 0; at < EVENTS; at++) delivery.add(event())
  process.kill(process.pid, 'SIGKILL')
  throw new Error('It lives on.')
}

/** Takes them over, as a meter does with its first call, and makes calls of its own meanwhile. */
async function find(dir: string): Promise<void> {
  let taken = 0
  let firstMs = 0
  let most = 0
  const began = performance.now()
  const forgets: Sink = {
    name: 'test',
    largeBatch: 200,
    async send(batch) {
      if (batch.isBacklog) firstMs ||= performance.now() - began
      taken += batch.json!.length
      most = Math.max(most, process.memoryUsage.rss())
      return { outcome: 'delivered' }
    },
  }
  const before = process.memoryUsage.rss()
  const stalls = monitorEventLoopDelay({ resolution: 1 })
  stalls.enable()
  const spool = { dir, maxSpoolBytes: MAX_SPOOL_BYTES }
  const delivery = createDelivery({ sinks: [forgets], problems: silent, maxBatchSize: 50, flushIntervalMs: 100, spool })
  delivery.add(event())
  let own = 1
  while (taken < EVENTS + own) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    if (taken < EVENTS) {
      delivery.add(event())
      own++
    }
  }
  const seconds = (performance.now() - began) / 1000
  stalls.disable()
  await delivery.close()
  process.send!({
    firstMs,
    seconds,
    megabytes: (most - before) / 2 ** 20,
    stallMs: stalls.percentile(99.9) / 1e6,
    longestMs: stalls.max / 1e6,
  })
}

const [role, dir] = positionals
if (role === 'leave') leave(dir!)
else if (role === 'find') await find(dir!)
else {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-backlog-'))
  const start = (part: string) =>
    fork(fileURLToPath(import.meta.url), [part, folder, '--events', String(EVENTS)], { execArgv: ['--no-warnings'] })
  try {
    await once(start('leave'), 'exit')
    const [found] = await once(start('find'), 'message')
    const { firstMs, seconds, megabytes, stallMs, longestMs } = found as Record<string, number>
    console.log(`${EVENTS.toLocaleString('en')} events of a dead process, with a call of its own every 10 ms:`)
    console.log(
      `the first of them is at the sink after ${firstMs!.toFixed(0)} ms, the last after ${seconds!.toFixed(0)} s;`,
    )
    console.log(
      `the event loop stands still for ${stallMs!.toFixed(1)} ms at p99.9 and ${longestMs!.toFixed(0)} ms at most;`,
    )
    console.log(`it takes ${megabytes!.toFixed(0)} MB more of memory than at its start.`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
