// An endpoint that is away for a while under load, then back with bad manners: what is lost, what is counted twice, and what
// callers and memory notice. Run by test/journey/outage.test.ts and bench/outage.ts.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Meter } from 'tallygate'
import type { Manners } from './outage-peer.ts'

export interface OutageOptions {
  /** An empty folder. */
  readonly folder: string
  readonly eventsPerSecond: number
  readonly wellSeconds: number
  readonly downSeconds: number
  readonly unwellSeconds: number
}

export interface OutageVerdict {
  readonly recorded: number
  readonly lost: readonly string[]
  readonly doubled: number
  /** What was said to people. */
  readonly messages: readonly string[]
  /** Microseconds of the caller for each event, sorted. */
  readonly undisturbed: Float64Array
  readonly disturbed: Float64Array
  /** Megabytes of the heap after a collection, where that can be asked for: before, while it is away, at the end. */
  readonly heap: readonly [before: number, away: number, after: number]
  readonly drainSeconds: number
}

/** A lot of events each: one timer an event would come too late for 1,000 a second. */
const TICK_MS = 10

export async function outageScene(options: OutageOptions): Promise<OutageVerdict> {
  const ledger = join(options.folder, 'ledger.db')
  const peer = fork(join(import.meta.dirname, 'outage-peer.ts'), [ledger], { execArgv: ['--no-warnings'] })
  const [port] = (await once(peer, 'message')) as [number]
  const is = async (manners: Manners) => {
    peer.send(manners)
    await once(peer, 'message')
  }
  const messages: string[] = []
  const meter = new Meter({
    url: `http://127.0.0.1:${port}/v1/ingest`,
    apiKey: 'key',
    dir: join(options.folder, 'dir'),
    flushIntervalMs: 200,
    onProblem: ({ message }) => messages.push(message),
  })
  let recorded = 0
  const record = () => {
    const responseId = `e${recorded++}`
    meter.trackManually({ provider: 'openai', model: 'gpt-4o', tenantId: 'acme', inputTokens: 100, responseId })
  }
  // The first reads the price book.
  record()
  await meter.flush()

  /** Records at an even pace; gives the caller's time for each. */
  async function load(seconds: number): Promise<number[]> {
    const micros: number[] = []
    const began = performance.now()
    for (let due = 0; due < seconds * options.eventsPerSecond; ) {
      const now = Math.min(seconds, (performance.now() - began) / 1000) * options.eventsPerSecond
      for (; due < now; due++) {
        const start = process.hrtime.bigint()
        record()
        micros.push(Number(process.hrtime.bigint() - start) / 1000)
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    }
    return micros
  }

  try {
    await load(options.wellSeconds)
    const undisturbed = await load(options.wellSeconds)
    const before = heapMegabytes()
    await is('down')
    const disturbed = await load(options.downSeconds)
    const away = heapMegabytes()
    await is('unwell')
    disturbed.push(...(await load(options.unwellSeconds)))
    await is('well')
    const back = performance.now()
    while (meter.stats().delivery.queued > 0) {
      await meter.flush()
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    }
    const drainSeconds = (performance.now() - back) / 1000
    const after = heapMegabytes()
    return {
      recorded,
      ...compared(ledger, recorded),
      messages,
      undisturbed: Float64Array.from(undisturbed).sort(),
      disturbed: Float64Array.from(disturbed).sort(),
      heap: [before, away, after],
      drainSeconds,
    }
  } finally {
    await meter.close()
    peer.disconnect()
  }
}

function heapMegabytes(): number {
  globalThis.gc?.()
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20)
}

function compared(ledger: string, recorded: number): Pick<OutageVerdict, 'lost' | 'doubled'> {
  using database = new DatabaseSync(ledger, { readOnly: true })
  const rows = database.prepare('SELECT response_id AS id, count(*) AS times FROM events GROUP BY response_id').all()
  const times = new Map(rows.map(({ id, times }) => [id as string, times as number]))
  return {
    lost: Array.from({ length: recorded }, (_, at) => `e${at}`).filter((id) => !times.has(id)),
    doubled: [...times.values()].filter((count) => count > 1).length,
  }
}
