// `tallygate export` and `tallygate import`, in process, on every database: what goes out comes in again, once.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { type Command, readValues, Stop } from '../../src/cli/command.ts'
import { exportEvents } from '../../src/cli/export-events.ts'
import { FOCUS_COLUMNS } from '../../src/cli/export-focus.ts'
import { importLog } from '../../src/cli/import-log.ts'
import { report } from '../../src/cli/report.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { fromWire, type LLMEvent, toWire, WIRE_NAMES } from '../../src/event.ts'
import { createTableReader } from '../../src/import/rows-of-table.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { checkWireEvent } from '../../src/wire.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, postgresServer, signal, stopServers } from '../support/ledgers.ts'
import { type Wire, wireEvent } from '../support/wire-events.ts'

afterAll(stopServers)

async function run(command: Command, args: readonly string[]) {
  let [out, err] = ['', '']
  const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: (more) => (err += more) }, {})
  const exitCode = (await command.run(readValues(command, args), { terminal, env: {} })) ?? 0
  return { out, err, exitCode, json: () => JSON.parse(out) as Record<string, unknown> }
}

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

/** Where an empty ledger is, as arguments, and a way to put events into it. */
const PLACES: Record<string, () => Promise<{ at: string[]; put: (events: readonly LLMEvent[]) => Promise<void> }>> = {
  async SQLite() {
    const dir = folder()
    return { at: ['--dir', dir], put: (events) => put(sqliteLedger({ path: join(dir, 'ledger.db') }), events) }
  },
  async PostgreSQL() {
    const { run, url } = await postgresServer()
    await run('DROP SCHEMA IF EXISTS tallygate CASCADE')
    return { at: ['--database-url', url], put: (events) => put(postgresLedger({ databaseUrl: url }), events) }
  },
}

async function put(
  ledger: ReturnType<typeof sqliteLedger> | ReturnType<typeof postgresLedger>,
  events: readonly LLMEvent[],
) {
  await ledger.send({ id: 'b', events }, signal)
  await ledger.close()
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Wire)

describe.each(Object.entries(PLACES))('from %s', (name, place) => {
  test('what goes out as JSON lines comes in again as the same ledger, and a second time changes nothing', async () => {
    const valid = wireEvent.filter(checkWireEvent).map((wire) => fromWire(wire))
    const several = fc.uniqueArray(valid, { selector: ({ eventId }) => eventId, minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(several, async (events) => {
        const { at, put } = await place()
        await put(events)
        const [dir, other] = [folder(), join(folder(), 'events.jsonl')]
        await run(exportEvents, ['--out', other, ...at])
        const there = linesOf(readFileSync(other, 'utf8'))
        expect(there.length).toBe(events.length)
        const first = (await run(importLog, [other, '--dir', dir, '--json'])).json()
        expect(first).toMatchObject({ rows: events.length, added: events.length, known: 0, set_aside: 0 })
        expect(linesOf((await run(exportEvents, ['--dir', dir])).out)).toEqual(there)
        const again = (await run(importLog, [other, '--dir', dir, '--json'])).json()
        expect(again).toMatchObject({ rows: events.length, added: 0, known: events.length, set_aside: 0 })
        const all = ['--by', 'model', '--json']
        const { ledger: _, ...before } = (await run(report, [...all, ...at])).json()
        expect((await run(report, [...all, '--dir', dir])).json()).toMatchObject(before)
      }),
      { numRuns: name === 'SQLite' ? 8 : 3 },
    )
  })

  test('events of a tenant, of a time, of a label go out, the oldest first, whatever the page holds', async () => {
    const { at, put } = await place()
    const events = Array.from({ length: 2300 }, (_, i) =>
      event({
        at: Date.UTC(2026, 9, 30) + (i % 1150) * 180_000,
        tenantId: i % 2 ? 'acme' : 'other',
        tags: { plan: i % 3 ? 'a' : 'b' },
      }),
    )
    await put(events)
    const all = linesOf((await run(exportEvents, at)).out)
    expect(all.map(({ event_id: id }) => String(id)).sort()).toEqual(events.map(({ eventId }) => eventId).sort())
    const times = all.map(({ timestamp }) => String(timestamp))
    expect(times).toEqual([...times].sort())
    const some = ['--since', '2026-10-31', '--until', '2026-11', '--tenant', 'acme', '--where', 'tag:plan=b']
    const wanted = events.filter(
      ({ tenantId, timestamp, tags }) =>
        tenantId === 'acme' && timestamp >= '2026-10-31' && timestamp < '2026-11' && tags?.['plan'] === 'b',
    )
    expect(wanted.length).toBeGreaterThan(50)
    expect(linesOf((await run(exportEvents, [...some, ...at])).out).length).toBe(wanted.length)
  })

  test('a log of LiteLLM goes in once, however often it is read, and its bad rows are told of', async () => {
    const { at } = await place()
    const file = join(folder(), 'spend.jsonl')
    const log = readFileSync(join(root, 'test/fixtures/import/litellm.jsonl'), 'utf8')
    writeFileSync(file, `${log}not json\n${log.slice(0, 300)}`)
    const first = await run(importLog, ['--format', 'litellm', file, ...at])
    expect(first).toMatchObject({ exitCode: 1 })
    expect(first.out).toMatch(/^8 rows: 6 events added to .*, 0 there already, 2 set aside\.\nCost: \$0\.01754\.\n$/)
    expect(first.err).toBe('line 7: It is no JSON.\nline 8: The file ends in the middle of it.\n')
    const again = await run(importLog, ['--format', 'litellm', '--json', file, ...at])
    expect(again.json()).toMatchObject({ rows: 8, added: 0, known: 6, set_aside: 2, cost_usd: '0.01754' })
    expect((await run(report, ['--json', ...at])).json()).toMatchObject({ total: { calls: 6, cost_usd: '0.01754' } })
  })
})

const COSTLY = event({
  at: Date.UTC(2026, 10, 30, 23, 10),
  tenantId: '=cmd()',
  feature: 'a "quoted", name',
  userId: '-1+1',
  costUsd: '0.0000025',
  costSource: 'priced',
  costLines: [
    { bucket: 'input.text', quantity: 10, costUsd: '0.000001', rate: 'openai/gpt-4o' },
    { bucket: 'fee.web_search', quantity: 1, costUsd: '0.0000015', rate: 'openai/search' },
  ],
  tags: { plan: 'pro' },
})

async function table(args: readonly string[], events: readonly LLMEvent[] = [COSTLY]) {
  const dir = folder()
  await put(sqliteLedger({ path: join(dir, 'ledger.db') }), events)
  const { out, err } = await run(exportEvents, [...args, '--dir', dir])
  const reader = createTableReader()
  const rows = [...reader.take(out), ...reader.end()].map((row) => ('value' in row ? row.value : {}))
  return { out, err, rows, header: out.slice(0, out.indexOf('\r\n')).split(',') }
}

describe('as CSV', () => {
  test('every field of the wire is a column, and no value a formula', async () => {
    const { header, rows, out } = await table(['--format', 'csv'])
    expect(header).toEqual(Object.values(WIRE_NAMES))
    expect(rows).toEqual([
      Object.fromEntries(
        Object.entries({ ...toWire(COSTLY), tenant_id: "'=cmd()", user_id: "'-1+1", schema_version: undefined })
          .filter(([, value]) => value !== undefined)
          .map(([field, value]) => [field, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
      ),
    ])
    expect(out).toMatch(/\r\n$/)
  })
})

describe('as FOCUS', () => {
  /** Feature level "Mandatory" in focus.finops.org/focus-specification/v1-2, read 2026-11-22. */
  const MANDATORY = [
    ...['BilledCost', 'BillingAccountId', 'BillingAccountName', 'BillingCurrency', 'BillingPeriodEnd'],
    ...['BillingPeriodStart', 'ChargeCategory', 'ChargeClass', 'ChargeDescription', 'ChargePeriodEnd'],
    ...['ChargePeriodStart', 'ContractedCost', 'EffectiveCost', 'InvoiceIssuerName', 'ListCost', 'PricingQuantity'],
    ...['PricingUnit', 'ProviderName', 'PublisherName', 'ServiceCategory', 'ServiceName'],
  ]

  test('a row is a line of a cost, with all mandatory columns', async () => {
    expect(FOCUS_COLUMNS).toEqual(expect.arrayContaining(MANDATORY))
    const { header, rows } = await table(['--format', 'focus'])
    expect(header).toEqual(FOCUS_COLUMNS)
    expect(rows).toMatchObject([
      {
        BilledCost: '0.000001',
        BillingCurrency: 'USD',
        BillingPeriodStart: '2026-11-01T00:00:00Z',
        BillingPeriodEnd: '2026-12-01T00:00:00Z',
        ChargePeriodStart: '2026-11-30T23:00:00Z',
        ChargePeriodEnd: '2026-12-01T00:00:00Z',
        PricingQuantity: '10',
        PricingUnit: 'Tokens',
        SubAccountId: "'=cmd()",
        Tags: '{"plan":"pro"}',
      },
      { BilledCost: '0.0000015', PricingUnit: 'Requests', SkuMeter: 'fee.web_search' },
    ])
  })

  test('a sum without lines is one row, and a call without a price none, which is said', async () => {
    const reported = event({ costUsd: '0.5', costSource: 'reported' })
    const { rows, err } = await table(['--format', 'focus'], [reported, event({ inputTokens: 5 }), COSTLY])
    expect(rows.length).toBe(3)
    expect(rows.find(({ x_EventId: id }) => id === reported.eventId)).toMatchObject({
      BilledCost: '0.5',
      PricingQuantity: '1',
    })
    expect(err).toBe('1 of 3 events have no known cost, and no row.\n')
  })
})

describe('files', () => {
  test('are packed where their name says so, and are there only when they are whole', async () => {
    const dir = folder()
    await put(sqliteLedger({ path: join(dir, 'ledger.db') }), [COSTLY])
    const path = join(dir, 'out.jsonl.gz')
    expect((await run(exportEvents, ['--dir', dir, '--out', path])).out).toBe(`1 events written to ${path}.\n`)
    expect(linesOf(gunzipSync(readFileSync(path)).toString())).toEqual([toWire(COSTLY)])
    expect(existsSync(`${path}.part`)).toBe(false)
    const nowhere = join(dir, 'no/such/folder.jsonl')
    await expect(run(exportEvents, ['--dir', dir, '--out', nowhere])).rejects.toThrow(
      /^It cannot be written to .*ENOENT/,
    )
  })

  test('rows that are set aside can be had in a file', async () => {
    const dir = folder()
    const [bad, list] = [join(dir, 'bad.jsonl'), join(dir, 'aside.jsonl')]
    writeFileSync(bad, 'x\n'.repeat(30))
    const { err, exitCode } = await run(importLog, [bad, '--dir', dir, '--set-aside', list])
    expect(exitCode).toBe(1)
    expect(err.split('\n').at(-2)).toBe('and 10 more; `--set-aside <file>` lists them all.')
    expect(linesOf(readFileSync(list, 'utf8'))).toHaveLength(30)
  })

  test('are only looked at with --dry-run', async () => {
    const dir = folder()
    const { out } = await run(importLog, [join(root, 'test/fixtures/import/jsonl.jsonl'), '--dry-run', '--dir', dir])
    expect(out).toBe('3 rows: 3 events, not written, 0 set aside.\nCost: $0.5158.\n')
    expect(existsSync(join(dir, 'ledger.db'))).toBe(false)
  })

  test.each([
    [
      exportEvents,
      ['--format', 'parquet'],
      /^`--format` is jsonl, csv, focus; got "parquet"\. Parquet is made of the CSV/,
    ],
    [importLog, [], /^`import` needs a file/],
    [importLog, ['nowhere.jsonl'], /^There is no file "nowhere\.jsonl"\.$/],
    [importLog, ['.'], /^"\." is a folder/],
    [
      importLog,
      ['package.json', '--format', 'helicone'],
      /^`--format` is jsonl, litellm, openai, anthropic, bedrock; got "helicone"\.$/,
    ],
    [importLog, ['package.json', '--at', 'soon'], /^`--at` takes /],
  ])('%s %j is refused in one sentence', async (command, args, sentence) => {
    const failure = await run(command, args).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Stop)
    expect((failure as Stop).message).toMatch(sentence)
  })
})
