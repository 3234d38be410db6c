// `tallygate top`: who spends now, exact, on every database.

import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createTerminal } from '../../src/cli/terminal.ts'
import { busiest, printBusiest, top } from '../../src/cli/top.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { runCommand } from '../support/commands.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, LEDGERS, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const NOW = Date.UTC(2026, 10, 22, 14, 30)
const MINUTE = 60_000

describe.each(Object.entries(LEDGERS))('%s', (_, { book: open }) => {
  test('this hour, today and this month, calls a minute and errors; who spent most this hour first', async () => {
    await using book = await open()
    const call = (tenantId: string | undefined, minutesAgo: number, costUsd: string, error?: string) =>
      event({ at: NOW - minutesAgo * MINUTE, tenantId: tenantId as never, costUsd, ...(error && { error }) })
    await book.put(
      call('quiet', 60 * 24 * 10, '1000'),
      call('acme', 1, '0.000000000001', 'http_529'),
      call('acme', 3, '0.5'),
      call('acme', 61, '0.25', 'aborted'),
      call('birch', 29, '2'),
      call('birch', 60 * 24, '4'),
      call(undefined, 600, '0.125'),
      call('last-month', 60 * 24 * 30, '9'),
    )
    const found = await busiest(book.views(), 'tenant', 20, NOW)
    expect(found.rows.map(({ key }) => key)).toEqual(['birch', 'acme', null, 'quiet'])
    expect(found.rows[1]).toEqual({
      key: 'acme',
      hour: 500_000_000_001n,
      today: 750_000_000_001n,
      month: 750_000_000_001n,
      calls: 3,
      errors: 2,
      perMinute: 0.4,
    })
    expect(found.total).toMatchObject({ hour: 2_500_000_000_001n, month: 1_006_875_000_000_001n, errors: 2 })
    const few = await busiest(book.views(), 'tenant', 2, NOW)
    expect([few.rows.map(({ key }) => key), few.count, few.total]).toEqual([['birch', 'acme'], 4, found.total])
    let text = ''
    printBusiest('tenant', found, createTerminal({ write: (more: string) => (text += more) }, { write() {} }, {}))
    expect(`\n${text}`).toBe(`
tenant       this hour  today  this month  calls/min  errors
birch            $2.00  $2.00       $6.00          0       0
acme             $0.50  $0.75       $0.75        0.4       2
(no tenant)      $0.00  $0.12       $0.12          0       0
quiet            $0.00  $0.00   $1,000.00          0       0
total of 4       $2.50  $2.88   $1,006.88        0.4       2
`)
    const byFeature = await busiest(book.views(), 'feature', 5, NOW)
    expect(byFeature.rows).toMatchObject([{ key: null, month: found.total.month }])
  })
})

test('a ledger without calls says so, and as JSON it is an empty list', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
  await ledger.limits()
  await ledger.close()
  const args = ['--dir', folder.path]
  expect((await runCommand(top, args)).out).toMatch(/UTC\n\nNo calls this month\.\n$/)
  expect((await runCommand(top, [...args, '--json', '--by', 'tag:plan'])).json()).toMatchObject({
    by: 'tag:plan',
    rows: [],
    total: { month_usd: '0' },
    count: 0,
  })
})

test.each([
  [['--by', 'day'], '`--by` takes one name, and not day; got "day".'],
  [['--by', 'tenant,model'], '`--by` takes one name, and not day; got "tenant,model".'],
  [['--by', 'tenent'], '`--by` cannot group by "tenent"; did you mean `tenant`?'],
  [['--limit', '0'], '`--limit` takes a whole number from 1 to 500; got "0".'],
  [['--interval', '0'], '`--interval` takes seconds, from 0.1 to 99999; got "0".'],
  [[], /^There is no ledger at /],
])('%j is refused in one sentence', async (args, sentence) => {
  await expect(runCommand(top, [...args, '--dir', '/nowhere'])).rejects.toThrow(sentence)
})
