// One sum of money, asked in every way there is: in code, on the command line, over HTTP, in SQL, and on an invoice.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { invoice } from '../../src/cli/invoice.ts'
import { limits } from '../../src/cli/limits-command.ts'
import { report } from '../../src/cli/report.ts'
import { top } from '../../src/cli/top.ts'
import type { LLMEvent } from '../../src/event.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { createIngest } from '../../src/server/ingest.ts'
import { listen } from '../../src/server/serve.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { runCommand } from '../support/commands.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, postgresServer, signal, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const NOW = Date.now()
const MONTH = new Date(NOW).toISOString().slice(0, 7)
const START = Date.parse(`${MONTH}-01T00:00:00Z`)

/** Sums that no double holds, beyond 64 bits of pico-dollars together; and costs with lines, without, and of nobody else's. */
const EVENTS: readonly LLMEvent[] = Array.from({ length: 40 }, (_, i) => {
  const lines = [
    {
      bucket: 'input.text',
      quantity: 1000 + i,
      costUsd: formatUsd(BigInt(1000 + i) * 2_500_001n),
      rate: 'openai/gpt-4o',
    },
    { bucket: 'output.text', quantity: 7 * i, costUsd: formatUsd(BigInt(7 * i) * 10_000_003n), rate: 'openai/gpt-4o' },
  ]
  const ofLines = lines.reduce((sum, { costUsd }) => sum + parseUsd(costUsd)!, 0n)
  const kinds: Partial<LLMEvent>[] = [
    { costUsd: formatUsd(ofLines), costLines: lines },
    { costUsd: '9007199.254740993001', costSource: 'reported', model: 'dear', tags: { plan: 'pro' } },
    {
      costUsd: '0.000000000001',
      costLines: [{ bucket: 'fee.web_search', quantity: 1, costUsd: '0.000000000001', rate: 'f' }],
    },
    { tenantId: 'other', costUsd: '123.456' },
  ]
  return event({ at: START + Math.floor(((NOW - START) * i) / 41), ...kinds[i % kinds.length] })
})
const COST = EVENTS.filter(({ tenantId }) => tenantId === 'acme').reduce(
  (sum, { costUsd = '0' }) => sum + parseUsd(costUsd)!,
  0n,
)
const USD = formatUsd(COST)

interface Place {
  readonly ledger: ReturnType<typeof sqliteLedger> | ReturnType<typeof postgresLedger>
  readonly views: ReturnType<typeof openLedger>
  readonly args: readonly string[]
  /** The pico-dollars of a statement, as digits. */
  sql(statement: { sqlite: string; postgres: string }): Promise<string>
}

const PLACES: Record<string, () => Promise<Place>> = {
  SQLite: async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const path = join(folder.path, 'ledger.db')
    return {
      ledger: sqliteLedger({ path }),
      views: openLedger({ path }),
      args: ['--dir', folder.path],
      async sql({ sqlite }) {
        const db = new DatabaseSync(path, { readOnly: true })
        const statement = db.prepare(sqlite)
        statement.setReadBigInts(true)
        const { high, low } = statement.get() as { high: bigint; low: bigint }
        db.close()
        return String((high << 32n) + low)
      },
    }
  },
  PostgreSQL: async () => {
    const server = await postgresServer()
    await server.run('DROP SCHEMA IF EXISTS tallygate CASCADE')
    return {
      ledger: postgresLedger({ databaseUrl: server.url }),
      views: openLedger({ databaseUrl: server.url }),
      args: ['--database-url', server.url],
      sql: async ({ postgres }) => (await server.run(postgres))[0]!['pico'] as string,
    }
  },
}

describe.each(Object.entries(PLACES))('%s', (_, open) => {
  test('code, command line, HTTP, SQL and invoice say the same, to the last digit', async () => {
    const { ledger, views, args, sql } = await open()
    onTestFinished(async () => {
      await views.close()
      await ledger.close()
    })
    expect(await ledger.send({ id: 'b', events: EVENTS }, signal)).toMatchObject({ outcome: 'delivered' })
    expect(COST).toBeGreaterThan(2n ** 63n)

    const said: Record<string, string> = {}
    const { total } = await views.totals({ where: { tenant: 'acme' }, since: START })
    said['totals'] = formatUsd(total.cost)
    said['spent'] = formatUsd(await ledger.spent('acme', START))
    const billed = await views.invoice({ tenantId: 'acme', month: MONTH })
    said['invoice'] = formatUsd(billed.total.cost)
    const lines = billed.models.flatMap((model) => model.lines)
    said['lines'] = formatUsd(lines.reduce((sum, { cost = 0n }) => sum + cost, 0n))

    const cli = (command: Parameters<typeof runCommand>[0], ...more: string[]) =>
      runCommand(command, [...more, ...args])
    const asked = ['--tenant', 'acme']
    const reported = (await cli(report, ...asked, '--since', MONTH, '--json')).json() as { total: { cost_usd: string } }
    said['report'] = reported.total.cost_usd
    const month = ['--month', MONTH]
    const invoiced = (await cli(invoice, ...asked, ...month, '--json')).json() as { total: { cost_usd: string } }
    said['invoice --json'] = invoiced.total.cost_usd
    const csv = (await cli(invoice, ...asked, ...month, '--format', 'csv')).out.trimEnd().split('\r\n').slice(1)
    said['invoice --format csv'] = formatUsd(csv.reduce((sum, row) => sum + parseUsd(row.split(',').at(-1)!)!, 0n))
    const markdown = (await cli(invoice, ...asked, ...month)).out
    said['invoice --format markdown'] = /\*\*Total\*\* .*\*\*\$(.*)\*\*/.exec(markdown)![1]!.replaceAll(',', '')
    const html = (await cli(invoice, ...asked, ...month, '--format', 'html')).out
    said['invoice --format html'] = /class="total".*\$(.*?)<\/td><\/tr>/.exec(html)![1]!.replaceAll(',', '')
    const busy = (await cli(top, '--json')).json() as { rows: { tenant: string; month_usd: string }[] }
    said['top'] = busy.rows.find(({ tenant }) => tenant === 'acme')!.month_usd
    await cli(limits, 'set', 'acme', '--usd', '9000000000')
    const standing = (await cli(limits, '--json')).json() as { limits: { spent_usd: string }[] }
    said['limits'] = standing.limits[0]!.spent_usd

    const server = await listen(createIngest({ ledger, views, apiKeys: ['k'], onProblem: () => {} }))
    onTestFinished(() => server.close())
    const get = async (path: string) => {
      const response = await fetch(`${server.url}${path}`, { headers: { authorization: 'Bearer k' } })
      expect(response.status).toBe(200)
      return (await response.json()) as { total: Record<string, string>; limits: { spent_usd: string }[] }
    }
    said['GET /v1/totals'] = (await get(`/v1/totals?where.tenant=acme&since=${MONTH}-01`)).total['cost_usd']!
    said['GET /v1/invoice'] = (await get(`/v1/invoice?tenant=acme&month=${MONTH}`)).total['cost_usd']!
    said['GET /v1/usage'] = (await get('/v1/usage?tenant=acme')).total['usd']!
    said['GET /v1/limits'] = (await get('/v1/limits')).limits[0]!.spent_usd

    const where = `WHERE tenant_id = 'acme' AND at >= ${START}`
    const pico = await sql({
      sqlite: `SELECT sum(cost_pico >> 32) AS high, sum(cost_pico & 4294967295) AS low FROM events ${where}`,
      postgres: `SELECT sum(cost_pico)::text AS pico FROM tallygate.events ${where}`,
    })
    said['SQL'] = formatUsd(BigInt(pico))
    const rolled = await sql({
      sqlite: `SELECT sum(cost_high) AS high, sum(cost_low) AS low FROM usage_tenants ${where}`,
      postgres: `SELECT sum(cost)::text AS pico FROM tallygate.usage_tenants ${where}`,
    })
    said['SQL of the roll-up'] = formatUsd(BigInt(rolled))

    expect(said).toEqual(Object.fromEntries(Object.keys(said).map((way) => [way, USD])))
    expect(Object.keys(said)).toHaveLength(17)
  })
})
