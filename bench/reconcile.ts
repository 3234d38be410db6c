// A million events compared with a month's bill, in a process of its own: time, and the most memory it took.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { eventId, type LLMEvent } from '../src/event.ts'
import { formatUsd } from '../src/money.ts'
import { loadPriceBook } from '../src/pricing/price-book.ts'
import { csvStatement, reconcile } from '../src/reconcile/index.ts'
import { costOfEvent } from '../src/reprice.ts'
import { sqliteLedger } from '../src/sinks/sqlite.ts'

const { values } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, fill: { type: 'string' }, run: { type: 'string' } },
})
const EVENTS = Number(values.events)
const START = Date.UTC(2026, 9, 1)
const DAYS = 31
const HOUR = 3_600_000
const MODELS = ['gpt-6-sol', 'gpt-6-luna', 'gpt-5-mini', 'gpt-4.1', 'gpt-4o']

if (values.fill !== undefined) await fill(values.fill)
else if (values.run !== undefined) await run(values.run)
else {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-bench-reconcile-'))
  try {
    for (const step of ['--fill', '--run'])
      execFileSync(
        process.execPath,
        ['--no-warnings', import.meta.filename, step, folder, '--events', String(EVENTS)],
        {
          stdio: 'inherit',
        },
      )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fill(folder: string): Promise<void> {
  const book = await loadPriceBook()
  const ledger = sqliteLedger({ path: join(folder, 'ledger.db') })
  const { signal } = new AbortController()
  const usage = new Map<string, number>()
  const costs = new Map<string, bigint>()
  const between = (DAYS * 24 * HOUR) / EVENTS
  for (let from = 0; from < EVENTS; from += 1000) {
    const events: LLMEvent[] = []
    for (let i = from; i < Math.min(EVENTS, from + 1000); i++) {
      const at = Math.floor(START + i * between)
      const model = MODELS[i % MODELS.length]!
      const event: LLMEvent = {
        eventId: eventId(at),
        timestamp: new Date(at).toISOString(),
        tenantId: `tenant-${i % 100}`,
        provider: 'openai',
        model,
        endpoint: 'chat.completions',
        serviceTier: 'default',
        usageSource: 'reported',
        usage: {
          'input.text': 500 + (i % 977),
          'input.text.cache_read': 100 + (i % 89),
          'output.text': 100 + (i % 331),
        },
      }
      const { cost } = costOfEvent(book, event)!
      events.push({ ...event, costUsd: formatUsd(cost!.pico), costSource: 'priced', costLines: cost!.lines })
      for (const { bucket, quantity, costUsd } of cost!.lines) {
        const hour = new Date(Math.floor(at / HOUR) * HOUR).toISOString()
        const line = `${hour},${model},${bucket}`
        usage.set(line, (usage.get(line) ?? 0) + quantity)
        const day = `${hour.slice(0, 10)},${model},${bucket}`
        const [whole = '0', fraction = ''] = costUsd.split('.')
        costs.set(day, (costs.get(day) ?? 0n) + BigInt(whole + fraction.padEnd(12, '0')))
      }
    }
    await ledger.send({ id: `b${from}`, events }, signal)
  }
  await ledger.close()
  const rows = [
    'date,model,type,quantity,cost',
    ...[...usage].map(([line, quantity]) => `${line},${quantity},`),
    ...[...costs].map(([line, cost]) => `${line},,${formatUsd(cost)}`),
  ]
  writeFileSync(join(folder, 'bill.csv'), `${rows.join('\n')}\n`)
}

async function run(folder: string): Promise<void> {
  const began = performance.now()
  const result = await reconcile({
    ledger: { path: join(folder, 'ledger.db') },
    statement: csvStatement({ path: join(folder, 'bill.csv'), provider: 'openai' }),
    since: START,
    until: START + DAYS * 24 * HOUR,
    now: START + 60 * 24 * HOUR,
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const { user, system } = process.cpuUsage()
  const cpu = ((user + system) / 1e6).toFixed(1)
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024)
  console.log(
    `${result.calls} events in ${seconds} s (${cpu} s of CPU), at most ${megabytes} MB; a difference of $${formatUsd(result.difference)}`,
  )
  if (result.difference !== 0n || result.causes.length > 0) process.exitCode = 1
}
