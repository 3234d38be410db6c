// An invoice as people get it, from the command line and over HTTP: exact, of whom it is for, and nothing in it runs.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { invoice } from '../../src/cli/invoice.ts'
import type { LLMEvent } from '../../src/event.ts'
import type { ApiKey } from '../../src/server/keys.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { fill } from '../support/bookful.ts'
import { dashboard, NO_BROWSER, startBrowser, visit } from '../support/browser.ts'
import { runCommand } from '../support/commands.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event } from '../support/ledgers.ts'

const line = (bucket: string, quantity: number, costUsd: string, rate = 'openai/gpt-6-sol') => ({
  bucket,
  quantity,
  costUsd,
  rate,
})
const HOSTILE = `<script>alert(1)</script> | **x** [y](javascript:z) & "q' =cmd`
const EVENTS: readonly LLMEvent[] = [
  event({
    model: 'gpt-6-sol',
    costUsd: '1.002500000001',
    costLines: [
      line('input.text', 400_000, '1'),
      line('input.text.cache_read', 10_000, '0.0025', 'openai/gpt-6-sol;batch@2026-10-01>272000'),
      line('unit.input_seconds', 1.5, '0.000000000001'),
    ],
    error: 'interrupted',
    usageSource: 'partial',
  }),
  event({ model: 'gpt-6-luna', costUsd: '0.25', costSource: 'reported' }),
  event({ model: 'house', provider: 'own', inputTokens: 5 }),
  event({ tenantId: 'globex', costUsd: '2', costLines: [line('input.text', 1000, '2')], resaleUsd: '2.5' }),
  event({
    tenantId: HOSTILE,
    model: HOSTILE,
    provider: HOSTILE,
    costUsd: '1',
    costLines: [line(`=${HOSTILE}`, 1, '1', HOSTILE)],
  }),
]

async function ledgerOf(events: readonly LLMEvent[]): Promise<string> {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  const ledger = sqliteLedger({ path: join(temporary.path, 'ledger.db') })
  await ledger.limits()
  await fill(ledger, events)
  await ledger.close()
  return temporary.path
}

async function printed(dir: string, ...args: string[]): Promise<string> {
  return (await runCommand(invoice, ['--month', '2026-11', '--dir', dir, ...args])).out
}

test('as Markdown, with every digit, and what a reader should know under it', async () => {
  const out = await printed(await ledgerOf(EVENTS), '--tenant', 'acme')
  expect(out.replace(/\n- The month is not over.*/, '')).toBe(`\
# Invoice 2026-11: acme

- Tenant: acme
- Month: 2026-11, UTC
- From: 2026-11-01T00:00:00Z
- To: 2026-12-01T00:00:00Z
- Calls: 3, of which 1 failed
- Total: $1.252500000001

| Item | Quantity | Unit | Price | Cost |
| --- | ---: | --- | ---: | ---: |
| **gpt-6-sol (openai)** |  |  |  |  |
| input text | 400,000 | tokens | $2.50 per million | $1.000000000000 |
| input text, cache read, batch, requests above 272,000 | 10,000 | tokens | $0.25 per million | $0.002500000000 |
| unit input seconds | 1.5 | seconds |  | $0.000000000001 |
| **Sum** |  |  |  | **$1.002500000001** |
| **gpt-6-luna (openai)** |  |  |  |  |
| Calls priced as a whole | 1 | calls |  | $0.250000000000 |
| **Sum** |  |  |  | **$0.250000000000** |
| **house (own)** |  |  |  |  |
| Calls without a known price | 1 | calls |  | unknown |
| **Sum** |  |  |  | **unknown** |
| **Total** |  |  |  | **$1.252500000001** |

- The usage of 1 call is estimated, in part or whole.
- 1 call used something without a known price, which is in no sum.
`)
})

test('as CSV, whose last column adds up to what is to be paid', async () => {
  const dir = await ledgerOf(EVENTS)
  expect((await printed(dir, '--tenant', 'globex', '--format', 'csv')).split('\r\n')).toEqual([
    'provider,model,kind,bucket,rate,quantity,unit,unit_price_usd,usd',
    'openai,gpt-4o,usage,input.text,openai/gpt-6-sol,1000,tokens,0.002,2',
    'openai,gpt-4o,markup,,,,,,0.5',
    '',
  ])
  const hostile = await printed(dir, '--tenant', HOSTILE, '--format', 'csv')
  expect(hostile).toContain(`,"'=<script>`)
})

test('as JSON, by the names of the wire', async () => {
  const dir = await ledgerOf(EVENTS)
  expect(JSON.parse(await printed(dir, '--tenant', 'globex', '--json', '--time-zone', 'Europe/Vienna'))).toEqual({
    tenant: 'globex',
    month: '2026-11',
    time_zone: 'Europe/Vienna',
    since: '2026-10-31T23:00:00.000Z',
    until: '2026-11-30T23:00:00.000Z',
    models: [
      {
        provider: 'openai',
        model: 'gpt-4o',
        lines: [
          {
            kind: 'usage',
            bucket: 'input.text',
            rate: 'openai/gpt-6-sol',
            quantity: '1000',
            unit: 'tokens',
            unit_price_usd: '0.002',
            cost_usd: '2',
          },
        ],
        ...SOLD,
      },
    ],
    total: SOLD,
  })
})
const SOLD = {
  calls: 1,
  errors: 0,
  unpriced: 0,
  estimated: 0,
  uncharged: 0,
  cost_usd: '2',
  markup_usd: '0.5',
  charge_usd: '2.5',
}

test('a copy for the tenant tells what is charged and nothing of what it cost', async () => {
  const dir = await ledgerOf(EVENTS)
  for (const format of ['markdown', 'html', 'csv', 'json']) {
    const copy = await printed(dir, '--tenant', 'globex', '--charges-only', '--format', format)
    expect(copy, format).toMatch(/2\.50?\b/)
    expect(copy, format).toContain('1,000'.replace(',', format === 'csv' || format === 'json' ? '' : ','))
    expect(copy.replaceAll(/2026|[^\d.]2\.5/g, ''), format).not.toMatch(
      /\$2\.00|"2"|,2\r|0\.5|0\.002|markup|gpt-6-sol/i,
    )
  }
  // Nothing else was charged: what calls cost is what the tenant pays.
  expect(await printed(dir, '--tenant', 'acme', '--charges-only')).toContain('$2.50 per million')
})

test('a month without calls is an invoice of nothing; a tenant without any is a slip', async () => {
  const dir = await ledgerOf(EVENTS)
  const { out } = await runCommand(invoice, ['--tenant', 'acme', '--month', '2025-02', '--dir', dir])
  expect(out).toMatch(/Total: \$0\.00\n[\s\S]*\| \*\*Total\*\* .*\$0\.00\*\* \|\n\n- No calls\.\n$/)
  await expect(printed(dir, '--tenant', 'acmee')).rejects.toThrow(
    'The ledger has no call of tenant "acmee"; did you mean "acme"?',
  )
  await expect(printed(dir, '--tenant', 'quite another')).rejects.toThrow(
    'The ledger has no call of tenant "quite another".',
  )
})

test.each([
  [['--tenant', 'acme'], '`invoice` needs `--tenant <id>` and `--month <month>`, such as `--month 2026-11`.'],
  [['--month', '2026-11'], '`invoice` needs `--tenant <id>`'],
  [['--tenant', 'acme', '--month', '2026-13'], 'Expected `--month` to be a month such as 2026-11, got "2026-13".'],
  [['--tenant', 'acme', '--month', 'november'], 'Expected `--month` to be a month such as 2026-11, got "november".'],
  [
    ['--tenant', 'acme', '--month', '2026-11', '--time-zone', 'Wien'],
    'Expected `--time-zone` to be the IANA name of a time zone',
  ],
  [
    ['--tenant', 'acme', '--month', '2026-11', '--format', 'pdf'],
    '`--format` takes one of markdown, csv, json, html; got "pdf".',
  ],
  [['--tenant', 'acme', '--month', '2026-11', '--format', 'csv', '--json'], 'Give either `--json` or `--format`.'],
  [['--tenant', 'a\nb', '--month', '2026-11'], 'Expected `tenantId` to be a string without control characters'],
])('%j is refused before a ledger is opened', async (args, sentence) => {
  await expect(runCommand(invoice, [...args, '--dir', '/nowhere'])).rejects.toThrow(sentence)
})

test('no ledger, one of a newer version, and a file that is none: one sentence each', async () => {
  const asked = ['--tenant', 'acme']
  await expect(printed('/nowhere/at/all', ...asked)).rejects.toThrow(/^There is no ledger at /)
  const dir = await ledgerOf(EVENTS)
  const db = new DatabaseSync(join(dir, 'ledger.db'))
  db.exec('INSERT INTO ledger_version VALUES (999)')
  db.close()
  await expect(printed(dir, ...asked)).rejects.toThrow(/was written by a newer version of tallygate\.$/)
  const other = join(dir, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'ledger.db'), 'not a database, but long enough to look at')
  await expect(printed(other, ...asked)).rejects.toThrow(/ is no SQLite file /)
})

test('no text from outside is Markdown or HTML', async () => {
  const dir = await ledgerOf(EVENTS)
  const markdown = await printed(dir, '--tenant', HOSTILE)
  expect(markdown).toContain(
    '# Invoice 2026-11: \\<script\\>alert(1)\\</script\\> \\| \\*\\*x\\*\\* \\[y\\](javascript:z) \\& "q\' =cmd',
  )
  for (const row of markdown.split('\n').filter((text) => text.startsWith('|')))
    expect(row.replaceAll(/\\./g, '').split('|')).toHaveLength(7)
  const html = await printed(dir, '--tenant', HOSTILE, '--format', 'html')
  expect(html).not.toMatch(/<script|<img|onerror|javascript:z"/)
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; | **x** [y](javascript:z) &amp; &quot;q&#39; =cmd')
  expect(html).not.toMatch(/\b(src|href|url)\s*[=(]/)
})

describe('GET /v1/invoice', () => {
  const KEYS: readonly ApiKey[] = [
    { key: 'all' },
    { key: 'looks', role: 'read' },
    { key: 'sends', role: 'ingest' },
    { key: 'globex', role: 'read', tenant: 'globex' },
    { key: 'web', project: 'web' },
  ]
  async function stage() {
    const server = await dashboard({ apiKeys: KEYS })
    onTestFinished(() => server[Symbol.asyncDispose]())
    await fill(server.ledger, [...EVENTS, event({ project: 'web', costUsd: '7' })])
    const get = (query: string, key = 'looks') =>
      fetch(`${server.url}/v1/invoice?${query}`, { headers: { authorization: `Bearer ${key}` } })
    return { ...server, get }
  }

  test('in every format, each of its type and under rules of its own', async () => {
    const { get } = await stage()
    const asked = 'tenant=globex&month=2026-11'
    expect(await (await get(asked)).json()).toMatchObject({
      tenant: 'globex',
      total: { cost_usd: '2', charge_usd: '2.5' },
    })
    const csv = await get(`${asked}&format=csv`)
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="invoice-2026-11-globex.csv"')
    expect(await csv.text()).toMatch(/^provider,model,kind,.*\r\n.*\r\n.*,markup,,,,,,0\.5\r\n$/)
    expect(await (await get(`${asked}&format=markdown`)).text()).toMatch(/^# Invoice 2026-11: globex\n/)
    const page = await get(`${asked}&format=html`)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'$/,
    )
    expect(page.headers.get('cache-control')).toBe('no-store')
    const named = await get(`tenant=${encodeURIComponent(HOSTILE)}&month=2026-11&format=csv`)
    expect(named.headers.get('content-disposition')).toMatch(/^attachment; filename="invoice-2026-11-[\w-]+\.csv"$/)
  })

  test('a key sees what it is for', async () => {
    const { get } = await stage()
    const month = 'month=2026-11'
    const own = await (await get(month, 'globex')).json()
    expect(own).toMatchObject({ tenant: 'globex', total: { charge_usd: '2.5' } })
    expect(JSON.stringify(own)).not.toMatch(/cost_usd|markup|unit_price/)
    expect((await get(`tenant=acme&${month}`, 'globex')).status).toBe(403)
    expect((await get(`tenant=acme&${month}`, 'sends')).status).toBe(403)
    expect((await get(`tenant=acme&${month}`, 'nobody')).status).toBe(401)
    expect(await (await get(`tenant=acme&${month}`, 'web')).json()).toMatchObject({
      total: { calls: 1, cost_usd: '7' },
    })
  })

  const REFUSED = [
    ['month=2026-11', 'Say whose invoice it is: `?tenant=<id>`.'],
    ['tenant=acme', 'Say which month it is of: `month=2026-11`.'],
    ['tenant=acme&month=2026-13', 'Expected `month` to be a month such as 2026-11, got "2026-13".'],
    ['tenant=acme&month=2026-11&format=pdf', 'Expected `format` to be one of json, csv, markdown, html, got "pdf".'],
    ['tenant=acme&month=2026-11&time_zone=Wien', /time_zone/],
    ['tenant=acme&month=2026-11&where.tenant=x', /^There is no parameter `where.tenant` here/],
    ['tenant=%00&month=2026-11', /tenantId/],
  ] as const

  test('what cannot be asked for is refused in one sentence', async () => {
    const { get } = await stage()
    for (const [query, sentence] of REFUSED) {
      const response = await get(query)
      const { error } = (await response.json()) as { error: string }
      expect(response.status, query).toBe(400)
      expect(error).toMatch(sentence)
    }
  })
})

describe.skipIf(NO_BROWSER !== undefined)(`in a browser${NO_BROWSER ? ` (skipped: ${NO_BROWSER})` : ''}`, () => {
  test('the page is shown in its style, runs nothing, and prints as PDF', async () => {
    const html = await printed(await ledgerOf(EVENTS), '--tenant', HOSTILE, '--format', 'html')
    const browser = await startBrowser()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const faults: string[] = []
    page.on('console', (message) => faults.push(message.text()))
    page.on('dialog', (dialog) => {
      faults.push('a dialog')
      void dialog.dismiss()
    })
    await page.setContent(html)
    expect(await page.locator('h1').textContent()).toBe(`Invoice 2026-11: ${HOSTILE}`)
    expect(await page.locator('script').count()).toBe(0)
    const aligned = (of: string) => page.locator(of).evaluate((cell) => getComputedStyle(cell).textAlign)
    expect(await aligned('.line td:last-child')).toBe('right')
    expect(await aligned('.line td:first-child')).toBe('left')
    const pdf = await page.pdf()
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(faults).toEqual([])
  })

  test("a tenant's page of the dashboard leads to the invoice of the month", async () => {
    const server = await dashboard()
    onTestFinished(() => server[Symbol.asyncDispose]())
    await fill(server.ledger, [event({ at: Date.now(), tenantId: HOSTILE, costUsd: '0.125' })])
    const browser = await startBrowser()
    onTestFinished(() => browser.close())
    await using reader = await visit(browser, server.url)
    await reader.go(`#/tenants/${encodeURIComponent(HOSTILE)}`)
    const opened = reader.page.waitForEvent('popup')
    await reader.page.getByRole('link', { name: 'Invoice of this month' }).click()
    const page = await opened
    await page.waitForLoadState()
    expect(await page.locator('h1').textContent()).toBe(`Invoice ${new Date().toISOString().slice(0, 7)}: ${HOSTILE}`)
    expect(await page.locator('.total td:last-child').textContent()).toBe('$0.125')
    expect(await page.locator('.total td:last-child').evaluate((cell) => getComputedStyle(cell).textAlign)).toBe(
      'right',
    )
    expect(reader.faults).toEqual([])
  })
})
