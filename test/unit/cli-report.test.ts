// A report as a person and as a program gets it, from a real ledger in memory.

import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { csvLine } from '../../src/cli/csv.ts'
import { tally } from '../../src/cli/demo-tally.ts'
import { toCsv, toJson } from '../../src/cli/export.ts'
import { limitsNow } from '../../src/cli/limits.ts'
import { printReport, type ReportOptions } from '../../src/cli/report.ts'
import { inOrder } from '../../src/cli/spend.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { eventId, isoTime, type LLMEvent } from '../../src/event.ts'
import { parseUsd } from '../../src/money.ts'
import { DIMENSIONS, type Dimension } from '../../src/sinks/ledger.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'

const NOW = Date.parse('2026-11-22T14:00:00Z')
const DAY = 86_400_000

function call(fields: Partial<LLMEvent> & { readonly daysAgo?: number } = {}): LLMEvent {
  const { daysAgo = 0, ...rest } = fields
  const at = NOW - daysAgo * DAY
  return {
    eventId: eventId(at),
    timestamp: isoTime(at),
    provider: 'openai',
    model: 'gpt-6-sol',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    usage: { 'input.text': 1000 },
    inputTokens: 1000,
    outputTokens: 200,
    ...rest,
  }
}

async function ledgerOf(...events: LLMEvent[]) {
  const ledger = sqliteLedger({ path: ':memory:' })
  onTestFinished(() => ledger.close())
  for (let i = 0; i < events.length; i += 100)
    await ledger.send({ id: `b${i}`, events: events.slice(i, i + 100) }, new AbortController().signal)
  return ledger
}

async function printed(
  ledger: Parameters<typeof printReport>[0],
  options: Partial<ReportOptions> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  let text = ''
  const output = { write: (more: string) => (text += more) }
  await printReport(ledger, { now: NOW, terminal: createTerminal(output, output, env), ...options })
  return text
}

describe('the tables', () => {
  test('by tenant, by model, and the limits', async () => {
    const ledger = await ledgerOf(
      call({ tenantId: 'acme', costUsd: '0.0125', cachedTokens: 512 }),
      call({ tenantId: 'acme', costUsd: '0.000254', usageSource: 'estimated', error: 'interrupted' }),
      call({ tenantId: 'globex', costUsd: '0.5', model: 'gpt-6-luna' }),
      call({ costUsd: '0.25', model: 'gpt-6-luna' }),
    )
    await ledger.putLimit({ tenantId: 'acme', window: 'month', limit: parseUsd('0.015')!, mode: 'expected' })
    await ledger.putLimit({ tenantId: 'globex', window: 'day', limit: parseUsd('0.25')!, mode: 'hard' })
    await ledger.putLimit({ tenantId: 'initech', window: 'total', limit: parseUsd('50')!, mode: 'expected' })
    expect(await printed(ledger)).toBe(`\
tenant       calls  errors     in  cached  out     cost
globex           1       0  1,000       0  200  $0.5000
(no tenant)      1       0  1,000       0  200  $0.2500
acme             2       1  2,000     512  400  $0.0128~
total            4       1  4,000     512  800  $0.7628~
~ The usage of 1 call is estimated, in part or whole.

model       calls  errors     in  cached  out     cost
gpt-6-luna      2       0  2,000       0  400  $0.7500
gpt-6-sol       2       1  2,000     512  400  $0.0128~
total           4       1  4,000     512  800  $0.7628~
~ The usage of 1 call is estimated, in part or whole.

limit of  per          limit    spent  remaining  resets in
globex    day, hard    $0.25  $0.5000    $0.0000       10 h
acme      month      $0.0150  $0.0128    $0.0022   8 d 10 h
initech   total       $50.00  $0.0000   $50.0000      never
`)
  })

  test('a call without a price is never free of charge', async () => {
    const ledger = await ledgerOf(
      call({ tenantId: 'acme' }),
      call({ tenantId: 'globex' }),
      call({ tenantId: 'globex', costUsd: '0.01' }),
      call({ tenantId: 'initech', costUsd: '0' }),
    )
    expect(await printed(ledger, { by: ['tenant'] })).toBe(`\
tenant   calls  errors     in  cached  out     cost
globex       2       0  2,000       0  400    $0.01*
acme         1       0  1,000       0  200  unknown*
initech      1       0  1,000       0  200    $0.00
total        4       0  4,000       0  800    $0.01*
* 2 calls used something without a known price, which is not in the cost.
`)
  })

  test('days stand in their order, all of them, and with --top the newest', async () => {
    const ledger = await ledgerOf(
      ...Array.from({ length: 30 }, (_, i) => call({ daysAgo: i, costUsd: String((i % 3) + 1) })),
    )
    const all = await printed(ledger, { by: ['day'] })
    expect(all.match(/^2026-\d\d-\d\d/gm)).toEqual([...all.match(/^2026-\d\d-\d\d/gm)!].sort())
    expect(all.match(/^2026/gm)).toHaveLength(30)
    const some = await printed(ledger, { by: ['day'], top: 2 })
    expect(some.split('\n').map((line) => line.split('  ')[0])).toEqual([
      'day',
      '28 older',
      '2026-11-21',
      '2026-11-22',
      'total',
      '',
    ])
  })

  test('rows beyond the first are added up, so that the total is the total', async () => {
    const ledger = await ledgerOf(
      ...Array.from({ length: 40 }, (_, i) => call({ tenantId: `t${i}`, costUsd: String(40 - i) })),
    )
    const text = await printed(ledger, { by: ['tenant'] })
    expect(text).toMatch(/^20 more +20 .* \$210\.00$/m)
    expect(text).toMatch(/^total +40 .* \$820\.00$/m)
    expect((await printed(ledger, { by: ['tenant'], top: 39 })).match(/^t\d+ /gm)).toHaveLength(40)
  })

  test('what was asked about nothing is answered in a word', async () => {
    expect(await printed(await ledgerOf())).toBe('No calls.\n')
    const ledger = await ledgerOf(call({ tenantId: 'acme', costUsd: '1' }))
    expect(await printed(ledger, { period: { tenantId: 'nobody' }, heading: 'nobody' })).toBe('nobody\n\nNo calls.\n')
  })

  test('one tenant is asked about: nobody else is on the page, in the limits neither', async () => {
    const ledger = await ledgerOf(call({ tenantId: 'acme', costUsd: '1' }), call({ tenantId: 'rival', costUsd: '2' }))
    for (const tenantId of ['acme', 'rival'])
      await ledger.putLimit({ tenantId, window: 'month', limit: parseUsd('5')!, mode: 'expected' })
    expect(await printed(ledger, { period: { tenantId: 'acme' } })).not.toContain('rival')
  })

  test('a limit that is spent is red, and one that nearly is yellow', async () => {
    const ledger = await ledgerOf(call({ tenantId: 'acme', costUsd: '1' }))
    for (const [window, usd] of [
      ['hour', '1'],
      ['day', '1.2'],
      ['month', '5'],
    ] as const)
      await ledger.putLimit({ tenantId: 'acme', window, limit: parseUsd(usd)!, mode: 'expected' })
    const text = await printed(ledger, {}, { FORCE_COLOR: '1' })
    expect(text.split('\u001b[31m$0.00\u001b')).toHaveLength(2)
    expect(text.split('\u001b[33m$0.20\u001b')).toHaveLength(2)
    expect(text).toContain(' $4.00')
  })

  test('no name from outside reaches the terminal as a command', async () => {
    const text = await printed(await ledgerOf(call({ model: 'gpt\u001b[2J\u001b]0;owned\u0007', costUsd: '1' })))
    expect(text).not.toMatch(/(?!\n)\p{Cc}/u)
  })
})

describe('csv', () => {
  test('has every row and digit, and no formula', async () => {
    const ledger = await ledgerOf(
      call({ tenantId: 'acme', costUsd: '0.000254', model: 'say "hi", ok' }),
      call({ tenantId: '=1+1', costUsd: '0.5' }),
      call({ costUsd: '0.000000000001' }),
    )
    const by: Dimension[] = ['tenant', 'model']
    expect(toCsv(by, inOrder(by, await ledger.totals({ by })))).toBe(
      [
        'tenant,model,calls,errors,input_tokens,cached_tokens,output_tokens,cost_usd,unpriced,estimated',
        "'=1+1,gpt-6-sol,1,0,1000,0,200,0.5,0,0",
        'acme,"say ""hi"", ok",1,0,1000,0,200,0.000254,0,0',
        ',gpt-6-sol,1,0,1000,0,200,0.000000000001,0,0',
        '',
      ].join('\r\n'),
    )
  })

  test.each([
    ['acme', 'acme'],
    ['=SUM(A1)', "'=SUM(A1)"],
    ['+1-555', "'+1-555"],
    ['-cmd', "'-cmd"],
    ['@import', "'@import"],
    ['＝A1', "'＝A1"],
    ['\t=A1', "'\t=A1"],
    ['\r=A1', '"\'\r=A1"'],
    ['-12.5', '-12.5'],
    ['-', "'-"],
    ['-1-1', "'-1-1"],
    ['two\nlines', '"two\nlines"'],
    ["o'neill", "o'neill"],
  ])('%j is written %j', (text, cell) => {
    expect(csvLine([text])).toBe(`${cell}\r\n`)
  })

  test('any text comes back from a reader of RFC 4180, but for the apostrophe', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (texts) => {
        expect(readCsvLine(csvLine(texts)).map((text) => text.replace(/^'(?=[=+\-@\t\r\n＝＋－＠])/, ''))).toEqual(
          texts,
        )
      }),
    )
  })
})

/** One record as the grammar of RFC 4180 has it. */
function readCsvLine(line: string): string[] {
  expect(line.endsWith('\r\n')).toBe(true)
  const fields = line.slice(0, -2).matchAll(/("(?:[^"]|"")*"|[^",\r\n]*)(,|$)/g)
  const texts: string[] = []
  for (const [, field = '', end] of fields) {
    texts.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field)
    if (end === '') break
  }
  return texts
}

test('json has every row and digit, the total, and the limits', async () => {
  const ledger = await ledgerOf(
    call({ tenantId: 'acme', feature: 'search', costUsd: '9007199.254740993' }),
    call({ tenantId: 'acme', costUsd: '0.000000000001' }),
  )
  await ledger.putLimit({ tenantId: 'acme', window: 'total', limit: parseUsd('100')!, mode: 'hard' })
  const query = { by: ['feature'] as const, since: NOW - DAY }
  const rows = inOrder(query.by, await ledger.totals(query))
  const limits = await limitsNow(ledger, undefined, NOW)
  const figures = {
    calls: 1,
    errors: 0,
    input_tokens: 1000,
    cached_tokens: 0,
    output_tokens: 200,
    unpriced: 0,
    estimated: 0,
  }
  expect(JSON.parse(toJson({ ledger: '/x/ledger.db', query, rows, limits }))).toEqual({
    ledger: '/x/ledger.db',
    since: '2026-11-21T14:00:00.000Z',
    until: null,
    tenant: null,
    by: ['feature'],
    rows: [
      { feature: 'search', ...figures, cost_usd: '9007199.254740993' },
      { feature: null, ...figures, cost_usd: '0.000000000001' },
    ],
    total: { ...figures, calls: 2, input_tokens: 2000, output_tokens: 400, cost_usd: '9007199.254740993001' },
    limits: [
      {
        tenant: 'acme',
        window: 'total',
        mode: 'hard',
        limit_usd: '100',
        spent_usd: '9007199.254740993001',
        remaining_usd: '0',
        resets_at: null,
      },
    ],
  })
})

test('events added up in memory are what a ledger makes of them, by every dimension', async () => {
  const label = (i: number, every: number) => (i % every === 0 ? {} : { label: `l${i % every}` })
  const events = Array.from({ length: 60 }, (_, i) => {
    const { label: name } = label(i, 4) as { label?: string }
    return call({
      daysAgo: i % 3,
      ...(name !== undefined && { tenantId: name, userId: `u-${name}`, sessionId: `s${i}`, feature: name, team: name }),
      ...(i % 5 > 0 && { project: 'p', costCenter: 'c', appName: 'a', environment: 'e', host: 'h', serviceTier: 't' }),
      ...(i % 7 > 0 && { costUsd: `0.${i + 1}` }),
      ...(i % 11 === 0 && { error: 'http_500', usageSource: 'partial' as const }),
      ...(i % 13 === 0 && { calls: 3, cachedTokens: i }),
    })
  })
  const ledger = await ledgerOf(...events)
  for (const dimension of DIMENSIONS) {
    const query = { by: [dimension, 'model'] as const }
    const name = ({ key }: { key: readonly (string | null)[] }) => JSON.stringify(key)
    const sorted = <Row extends { key: readonly (string | null)[] }>(rows: readonly Row[]) =>
      [...rows].sort((a, b) => (name(a) < name(b) ? -1 : 1))
    expect(sorted(await tally(events).totals(query))).toEqual(sorted(await ledger.totals(query)))
  }
})
