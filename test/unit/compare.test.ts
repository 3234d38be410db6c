// What recorded calls would cost at other models: exact sums, a band for the tokenizers, and what has no price said.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { compareModels } from '../../src/audit/compare.ts'
import { comparisonPage } from '../../src/audit/compare-report.ts'
import type { ComparedEvent } from '../../src/audit/comparison.ts'
import { tokensApart } from '../../src/audit/tokenizers-apart.ts'
import { readValues } from '../../src/cli/command.ts'
import { compare } from '../../src/cli/compare.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event } from '../support/ledgers.ts'

const book = await loadPriceBook()

/** At gpt-4o, $2.50 and $10 a million. */
type Over = { readonly [Field in keyof ComparedEvent]?: ComparedEvent[Field] | undefined }
const call = (over: Over = {}) =>
  ({
    provider: 'openai',
    model: 'gpt-4o',
    timestamp: '2026-11-20T00:00:00Z',
    usageSource: 'reported',
    usage: { 'input.text': 1000, 'output.text': 100 },
    costUsd: '0.0035',
    ...over,
  }) as ComparedEvent

describe('a comparison', () => {
  test('of models that count in one encoding is exact', () => {
    const { targets } = compareModels([call(), call({ feature: 'search', tenantId: 'acme' })], book, {
      to: ['gpt-4o-mini'],
    })
    // 1000 x $0.15 and 100 x $0.60 a million.
    const each = {
      calls: 1,
      cost: 3_500_000_000n,
      there: 210_000_000n,
      thereLow: 210_000_000n,
      thereHigh: 210_000_000n,
    }
    expect(targets[0]).toMatchObject({
      provider: 'openai',
      model: 'gpt-4o-mini',
      total: { calls: 2, cost: 7_000_000_000n, there: 420_000_000n, thereLow: 420_000_000n, thereHigh: 420_000_000n },
      models: [{ model: 'gpt-4o', calls: 2, label: 'EXACT' }],
      notCompared: [],
    })
    expect(targets[0]!.rows).toHaveLength(2)
    expect(targets[0]!.rows).toEqual(
      expect.arrayContaining([
        { feature: null, tenant: null, ...each },
        { feature: 'search', tenant: 'acme', ...each },
      ]),
    )
  })

  test('with a model of another tokenizer has a band', () => {
    const { targets } = compareModels([call()], book, { to: ['claude-opus-4-6'] })
    // $5 and $25 a million of 1000 and 100 tokens, of 750 and 75, of 1350 and 135.
    expect(targets[0]).toMatchObject({
      provider: 'anthropic',
      total: { there: 7_500_000_000n, thereLow: 5_625_000_000n, thereHigh: 10_125_000_000n },
      models: [{ label: 'BOUNDED', lowPercent: 75, highPercent: 135 }],
    })
  })

  test.each<[string, Over, string]>([
    ['something that the target does not sell', { usage: { 'fee.file_search': 1 } }, '"fee.file_search"'],
    ['a tier that the target does not have', { serviceTier: 'flex' }, '"flex"'],
    ['nothing that is known', { usage: {} }, 'Nothing is known'],
    ['no known cost', { costUsd: undefined }, 'is not known'],
    ['several calls in one event', { calls: 3 }, 'added up'],
  ])('leaves out and tells of a call that used %s', (_, over, why) => {
    const { targets } = compareModels([call(), call(over)], book, { to: ['claude-opus-4-6'] })
    expect(targets[0]!.total.calls).toBe(1)
    expect(targets[0]!.notCompared).toEqual([
      expect.objectContaining({ why: expect.stringContaining(why), calls: over.calls ?? 1 }),
    ])
  })

  test('prices calls from before a model was sold by its rates of today, and says so', () => {
    const { targets } = compareModels([call({ timestamp: '2024-06-01T00:00:00Z' })], book, { to: ['claude-fable-5'] })
    expect(targets[0]).toMatchObject({ total: { calls: 1 }, atTodaysRates: 1, notCompared: [] })
  })

  test.each([
    ['gpt-4p', 'did you mean `gpt-4o`?'],
    ['', 'has no model ""'],
    ['openai/claude-opus-4-6', 'has no model "openai/claude-opus-4-6"'],
  ])('refuses the model %j in one sentence', (to, sentence) => {
    expect(() => compareModels([], book, { to: [to] })).toThrow(sentence)
  })
})

test.each([
  ['gpt-4o', 'gpt-5', 'EXACT', 100, 100],
  ['gpt-4-turbo', 'gpt-4o', 'BOUNDED', 22, 106],
  ['gpt-4o', 'gpt-6-sol', 'BOUNDED', 75, 135],
])('tokens of %s and %s are %s', (from, to, label, lowPercent, highPercent) => {
  const apart = tokensApart({ provider: 'openai', model: from }, { provider: 'openai', model: to })
  expect(apart).toMatchObject({ label, lowPercent, highPercent })
})

test('the older and the newer tokenizer of Claude are as far apart as their maker says', () => {
  const apart = (from: string, to: string) =>
    tokensApart({ provider: 'anthropic', model: from }, { provider: 'anthropic', model: to })
  expect(apart('claude-sonnet-4-5', 'claude-opus-5-5')).toMatchObject({ lowPercent: 100, highPercent: 135 })
  expect(apart('claude-opus-5', 'claude-opus-5-5')).toMatchObject({
    label: 'BOUNDED',
    lowPercent: 100,
    highPercent: 100,
  })
  expect(apart('claude-haiku-9', 'claude-haiku-9')).toMatchObject({ label: 'EXACT' })
})

test('a name cannot put anything into the page', () => {
  const comparison = compareModels([call({ tenantId: '<script>alert(1)</script>', feature: '"&\u202e' })], book, {
    to: ['gpt-4o-mini'],
  })
  const html = comparisonPage(comparison, '<img src=x>')
  expect(html).not.toMatch(/<script|<img|\u202e/)
  expect(html).toContain('&lt;script&gt;')
})

describe('tallygate compare', () => {
  async function run(...args: string[]) {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    mkdirSync(folder.path, { recursive: true })
    const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
    const { usage, costUsd } = call()
    const events = ['acme', 'globex'].map((tenantId) =>
      event({ tenantId, usage: usage!, costUsd: costUsd!, feature: 'chat' }),
    )
    await ledger.send({ id: 'b', events }, new AbortController().signal)
    await ledger.close()
    let out = ''
    const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: () => {} }, {})
    const page = join(folder.path, 'page.html')
    await compare.run(readValues(compare, [...args, '--html', page, '--dir', folder.path]), { terminal, env: {} })
    return { out, page: readFileSync(page, 'utf8') }
  }

  test('prints the saving by feature and tenant, and writes the page', async () => {
    const { out, page } = await run('--to', 'gpt-4o-mini,claude-opus-4-6')
    expect(out).toMatch(/openai\/gpt-4o-mini\nfeature +tenant +calls +cost +there +saving/)
    expect(out).toMatch(/total +2 +\$0\.00700 *0? +\$0\.00042 *0? +\$0\.00658/)
    expect(page).toContain('anthropic/claude-opus-4-6')
  })

  test('takes the filters of a report', async () => {
    const { out } = await run('--to', 'gpt-4o-mini', '--where', 'tenant=acme', '--json')
    expect(JSON.parse(out)).toMatchObject({
      calls: 1,
      targets: [{ total: { calls: 1, cost_usd: '0.0035', there_usd: '0.00021', saving_usd: '0.00329' } }],
    })
  })

  test('says what it needs', async () => {
    await expect(run()).rejects.toThrow('`compare` needs `--to <models>`')
  })
})
