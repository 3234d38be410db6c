// Bills out of files: each form that we read, and everything in a file that stops it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLedger } from '../../src/ledger/index.ts'
import { reconcile } from '../../src/reconcile/reconcile.ts'
import { aliasesOf } from '../../src/reconcile/shape.ts'
import { awsCurStatement } from '../../src/reconcile/sources/aws-cur.ts'
import { azureCostsStatement } from '../../src/reconcile/sources/azure-costs.ts'
import { csvStatement } from '../../src/reconcile/sources/csv.ts'
import { focusStatement } from '../../src/reconcile/sources/focus.ts'
import { googleBillingStatement } from '../../src/reconcile/sources/google-billing.ts'
import { liteLlmStatement } from '../../src/reconcile/sources/litellm.ts'
import { DAY, HOUR, type Statement, type StatementRow } from '../../src/reconcile/statement.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, failureOf, signal } from '../support/ledgers.ts'

const FIRST = Date.UTC(2026, 9, 1)
const OCTOBER = { since: FIRST, until: Date.UTC(2026, 10, 1) }

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

function file(...lines: (string | object)[]): string {
  const path = join(folder(), 'bill')
  writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
  return path
}

async function all(statement: Statement): Promise<StatementRow[]> {
  const rows: StatementRow[] = []
  for await (const row of statement.rows(OCTOBER)) rows.push(row)
  return rows
}

const day = { since: FIRST, until: FIRST + DAY }
const hour = { since: FIRST, until: FIRST + HOUR }

describe('each form', () => {
  test('CSV, with a byte order mark, quotes, line ends of Windows and names of one’s own', async () => {
    const path = file(
      '\ufeffDate,Model,Type,Quantity,Cost,Description,Batch\r',
      '2026-10-01,gpt-4.1,input tokens,1000,0.002,"one, ""two""",true\r',
      '2026-10-01T00:00:00Z,gpt-4.1,output,10,8e-5,,\r',
      '2026-10-01T02:00:00+02:00,gpt-4.1,output,11,,,\r',
    )
    expect(await all(csvStatement({ path, provider: 'openai' }))).toMatchObject([
      {
        kind: 'cost',
        ...day,
        type: 'input.text',
        quantity: 1000,
        cost: 2_000_000_000n,
        tier: 'batch',
        item: 'one, "two"',
      },
      { kind: 'cost', ...hour, type: 'output.text', cost: 80_000_000n },
      { kind: 'usage', ...hour, type: 'output.text', quantity: 11 },
    ])
  })

  test('FOCUS, by its own columns or the words of a SKU, with what is no usage beside', async () => {
    const path = file(
      'ChargePeriodStart,ChargePeriodEnd,BilledCost,ListCost,BillingCurrency,ChargeCategory,SkuMeter,ConsumedQuantity,ConsumedUnit,x_Model,x_TokenType',
      '2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,0.9,1,USD,Usage,,1000000,Tokens,claude-opus-5,output_tokens',
      '2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,0.5,0.5,USD,Usage,"gpt-4.1, cached input",5,1K tokens,,',
      '2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,0.1,0.1,USD,Tax,,,,,',
    )
    expect(await all(focusStatement({ path, provider: 'openai' }))).toMatchObject([
      {
        model: 'claude-opus-5',
        type: 'output.text',
        quantity: 1_000_000,
        cost: 900_000_000_000n,
        listCost: 1_000_000_000_000n,
      },
      { model: 'gpt-4.1', type: 'input.text.cache_read', quantity: 5000 },
      { model: undefined, type: undefined, cost: 100_000_000_000n },
    ])
  })

  test('LiteLLM: a row a request, by its id', async () => {
    const row = {
      request_id: 'chatcmpl-1',
      startTime: '2026-10-01T10:00:00.123Z',
      spend: 0.0015,
      model: 'openai/gpt-4.1',
      custom_llm_provider: 'openai',
      api_key: 'hash',
    }
    const path = file(row, { ...row, request_id: 'x', custom_llm_provider: 'anthropic' })
    expect(await all(liteLlmStatement({ path, provider: 'openai' }))).toMatchObject([
      { responseId: 'chatcmpl-1', model: 'gpt-4.1', cost: 1_500_000_000n, requests: 1, key: 'hash' },
    ])
  })

  test.each([
    ['bedrock', 'aws', 'bedrock/us.anthropic.claude-opus-5', 'us.anthropic.claude-opus-5'],
    ['vertex_ai', 'vertex', 'vertex_ai/gemini-3.8-flash', 'gemini-3.8-flash'],
    ['xai', 'xAI', 'grok-4', 'grok-4'],
  ])('LiteLLM: %s is %s', async (theirs, provider, model, ours) => {
    const row = { request_id: '1', startTime: '2026-10-01T10:00:00Z', spend: 1, model, custom_llm_provider: theirs }
    const statement = liteLlmStatement({ path: file(row), provider })
    expect(await all(statement)).toMatchObject([{ provider: statement.provider, model: ours }])
  })

  test('Google Cloud: less its credits, the model and the kind of token out of the SKU', async () => {
    const row = {
      service: { description: 'Vertex AI' },
      sku: { id: '1', description: 'Gemini 2.5 Flash Lite GA Text Output - Predictions' },
      usage_start_time: '2026-10-01 00:00:00 UTC',
      usage_end_time: '2026-10-01 01:00:00 UTC',
      project: { id: 'p' },
      usage: { amount: 1000 },
      cost: 0.0004,
      currency: 'USD',
      credits: [{ amount: -0.0001 }],
    }
    const path = file(row, { ...row, service: { description: 'Compute Engine' } })
    expect(await all(googleBillingStatement({ path, provider: 'google' }))).toMatchObject([
      {
        ...hour,
        model: 'gemini-2.5-flash-lite',
        type: 'output.text',
        quantity: 1000,
        cost: 300_000_000n,
        project: 'p',
      },
    ])
  })

  test('AWS: the lines of Bedrock, in thousands of tokens', async () => {
    const path = file(
      'line_item_usage_type,line_item_usage_start_date,line_item_usage_end_date,line_item_usage_amount,line_item_unblended_cost,line_item_currency_code,line_item_product_code,pricing_unit,line_item_line_item_type',
      'USE1-Claude4.5Sonnet-input-tokens,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,2.5,0.0075,USD,AmazonBedrock,1K tokens,Usage',
      'USE1-Claude4.5Sonnet-cache-read-input-tokens,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,1,0.0003,USD,AmazonBedrock,1K tokens,Usage',
      'BoxUsage,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,1,1,USD,AmazonEC2,Hrs,Usage',
    )
    expect(await all(awsCurStatement({ path, provider: 'aws' }))).toMatchObject([
      { ...hour, model: 'Claude4.5Sonnet', type: 'input.text', quantity: 2500, cost: 7_500_000_000n },
      { model: 'Claude4.5Sonnet', type: 'input.text.cache_read', quantity: 1000 },
    ])
  })

  test('Azure: a meter a day, dates of either kind', async () => {
    const path = file(
      'Date,MeterCategory,MeterName,UnitOfMeasure,Quantity,CostInBillingCurrency,BillingCurrency',
      '10/01/2026,Azure OpenAI,gpt 4.1 Inp glbl Tokens,1K,5,0.01,USD',
      '2026-10-01,Azure OpenAI,gpt 4.1 cchd Inp glbl Tokens,1M,1,0.5,USD',
      '2026-10-01,Storage,LRS Data,1 GB,1,0.5,USD',
    )
    expect(await all(azureCostsStatement({ path, provider: 'azure' }))).toMatchObject([
      { ...day, model: 'gpt-4.1', type: 'input.text', quantity: 5000 },
      { ...day, model: 'gpt-4.1', type: 'input.text.cache_read', quantity: 1_000_000 },
    ])
  })
})

describe('a file that is not what it should be stops, and says what was expected and what came', () => {
  const header = 'date,model,type,quantity,cost,currency'
  const good = '2026-10-01,gpt-4.1,input_tokens,1000,0.002,USD'

  test.each([
    [
      'nothing in it',
      [''],
      'CSV file: expected the file to be a line of column names and lines below it, got an empty file.',
    ],
    ['column names alone', [header], 'CSV file: expected the file to be lines, got none.'],
    [
      'a column is gone',
      ['date,type,cost', '2026-10-01,input,1'],
      'CSV file: expected a column `model`, got date, type, cost.',
    ],
    [
      'a column is there twice',
      ['date,model,cost,Cost', 'a,b,c,d'],
      'CSV file: expected the column names to be each once, got cost twice.',
    ],
    [
      'a line is there twice',
      [header, good, good.replace('1000', '7'), good],
      'CSV file, line 4: expected the line to be one that is there once, got the same as on line 2.',
    ],
    [
      'it is cut off in mid-line',
      [header, good, '2026-10-01,gpt-4.1,outp'],
      'CSV file, line 3: expected the line to be one of 6 fields, got one of 3: the file is cut off or not in one form.',
    ],
    [
      'it is cut off in quotes',
      [header, good, '2026-10-01,"gpt-4'],
      'CSV file, line 3: expected the line to be one that ends, got one that breaks off inside of quotes.',
    ],
    [
      'another currency',
      [header, good.replace('USD', 'EUR')],
      'CSV file, line 2: expected `currency` to be "USD", got "EUR".',
    ],
    [
      'a date that is none',
      [header, good.replace('2026-10-01', '1.10.26')],
      'CSV file, line 2: expected `date` to be a moment such as 2026-11-22T00:00:00Z, got "1.10.26".',
    ],
    [
      'an amount that is none',
      [header, good.replace('0.002', 'free')],
      'CSV file, line 2: expected `cost` to be an amount in decimal digits, got "free".',
    ],
    [
      'another kind of file, of which nothing is repeated',
      ['{"prompt":"who sang, and where?","date":1}'],
      'CSV file: expected a column `date` or `day` or `start` or `since`, got a first line that is not of names.',
    ],
    [
      'days that begin at the midnight of another clock',
      [header, good.replace('2026-10-01', '2026-10-01T00:00:00-07:00')],
      'CSV file, line 2: expected `date` to be a day in UTC, or an hour with its `end`: the midnight of another clock may be either, got "2026-10-01T00:00:00-07:00".',
    ],
    [
      'a kind of token that nobody knows',
      [header, good.replace('input_tokens', 'dreams')],
      'CSV file, line 2: expected `type` to be a kind of token such as input_tokens or output_tokens, got "dreams".',
    ],
  ])('%s', async (_, lines, message) => {
    expect((await failureOf(all(csvStatement({ path: file(...lines), provider: 'openai' })))).message).toBe(message)
  })

  test('days of another clock', async () => {
    const path = file(
      'ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency',
      '2026-10-01T00:00:00-07:00,2026-10-02T00:00:00-07:00,1,USD',
    )
    expect((await failureOf(all(focusStatement({ path, provider: 'openai' })))).message).toBe(
      'FOCUS file, line 2: expected the period to be a day in UTC, got 2026-10-01T07:00:00.000Z to 2026-10-02T07:00:00.000Z.',
    )
  })

  test('a line for a whole month', async () => {
    const path = file('ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency', '2026-10-01,2026-11-01,1,USD')
    expect((await failureOf(all(focusStatement({ path, provider: 'openai' })))).message).toContain('of at most a day')
  })

  test('JSON that breaks off', async () => {
    const path = file(
      '{"request_id":"1","startTime":"2026-10-01T10:00:00Z","spend":0,"model":"m"}',
      '{"request_id":"2","sta',
    )
    expect((await failureOf(all(liteLlmStatement({ path, provider: 'openai' })))).message).toBe(
      'LiteLLM spend log, line 2: expected the line to be a JSON object, got one that breaks off, or is none.',
    )
  })

  test('a file that is not there', async () => {
    const path = join(folder(), 'none.csv')
    expect((await failureOf(all(csvStatement({ path, provider: 'openai' })))).message).toBe(
      `CSV file: ${path} cannot be read (ENOENT).`,
    )
  })

  test('days that are not final yet, which is no fault of the file', async () => {
    const path = join(folder(), 'ledger.db')
    const ledger = sqliteLedger({ path })
    await ledger.send({ id: 'b', events: [event({ at: FIRST })] }, signal)
    await ledger.close()
    const days = { ledger: { path }, ...OCTOBER, now: FIRST + HOUR }
    const statement = csvStatement({ path: file(header, good), provider: 'openai' })
    expect(await reconcile({ ...days, statement })).toMatchObject({ billed: 0n, notFinal: ['2026-10-01'] })
    expect((await failureOf(reconcile({ ...days, statement, rebaseline: 'why' }))).message).toBe(
      'No day of these is final yet: there is no drift that could be taken for right.',
    )
  })

  test('half a month, where the ledger has the whole', async () => {
    const path = join(folder(), 'ledger.db')
    const ledger = sqliteLedger({ path })
    await ledger.send({ id: 'b', events: [event({ at: FIRST }), event({ at: FIRST + 20 * DAY })] }, signal)
    await ledger.close()
    const statement = csvStatement({ path: file(header, good), provider: 'openai' })
    const { message } = await failureOf(
      reconcile({ ledger: { path }, statement, ...OCTOBER, now: OCTOBER.until + DAY }),
    )
    expect(message).toBe(
      'Expected the csv file to have lines of 2026-10-02 to 2026-10-31, where the ledger has 1 of its calls, got lines of 2026-10-01 to 2026-10-01: export the rest too, or reconcile these days alone.',
    )
  })
})

describe('a bill that says money alone', () => {
  async function compared(lines: readonly string[], form = csvStatement) {
    const path = join(folder(), 'ledger.db')
    const ledger = sqliteLedger({ path })
    const costLines = [{ bucket: 'input.text' as const, quantity: 1000, costUsd: '0.002', rate: 'r' }]
    const usage = { 'input.text': 1000 }
    const call = event({ at: FIRST, model: 'gpt-4.1', usage, costUsd: '0.002', costSource: 'priced', costLines })
    await ledger.send({ id: 'b', events: [call] }, signal)
    await ledger.close()
    const statement = form({ path: file(...lines), provider: 'openai' })
    return reconcile({ ledger: { path }, statement, ...day, now: OCTOBER.until })
  }
  const spent = (spend: number) =>
    JSON.stringify({ request_id: 'a', startTime: '2026-10-01T10:00:00Z', spend, model: 'gpt-4.1' })

  test.each<[string, readonly string[], typeof csvStatement]>([
    ['by model', ['date,model,cost', '2026-10-01,gpt-4.1,0.002'], csvStatement],
    ['by kind of token', ['date,model,type,cost', '2026-10-01,gpt-4.1,input,0.002'], csvStatement],
    ['by request', [spent(0.002)], liteLlmStatement],
  ])('%s, and the ledger says the same, does not drift', async (_, lines, form) => {
    const { status, difference, drift } = await compared(lines, form)
    expect({ status, difference }).toEqual({ status: 'ok', difference: 0n })
    expect(drift).toMatchObject([{ volume: undefined, price: 0, billedQuantity: undefined }])
  })

  test('drifts in its price, by whatever it is off', async () => {
    const { status, drift } = await compared(['date,model,type,cost', '2026-10-01,gpt-4.1,input,0.0021'])
    expect([status, drift[0]!.price]).toEqual(['fail', -47_619])
  })

  test('and has one line alone is off by a price, and not by a discount on everything', async () => {
    const { causes } = await compared(['date,model,type,quantity,cost', '2026-10-01,gpt-4.1,input,1000,0.0018'])
    expect(causes).toMatchObject([{ cause: 'price-book', cost: -200_000_000n }])
  })

  test('and that of one kind of token has none of the others, which is a drift', async () => {
    const { status } = await compared(['date,model,type,cost', '2026-10-01,gpt-4.1,output,0.002'])
    expect(status).toBe('fail')
  })
})

test('days whose events were pruned are not compared, since all of them would be missing', async () => {
  const path = join(folder(), 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event({ at: FIRST }), event({ at: FIRST + 5 * DAY })] }, signal)
  await ledger.close()
  await using views = openLedger({ path })
  await views.keep(FIRST + 2 * DAY)
  const statement = csvStatement({ path: file('date,model,cost', '2026-10-06,gpt-4o,1'), provider: 'openai' })
  const days = { ledger: { path }, statement, until: FIRST + 6 * DAY, now: OCTOBER.until }
  expect((await failureOf(reconcile({ ...days, since: FIRST + DAY }))).message).toBe(
    'The events from before 2026-10-03 were pruned: days before it cannot be compared any more.',
  )
  expect(await reconcile({ ...days, since: FIRST + 2 * DAY })).toMatchObject({ calls: 1 })
})

test.each([
  ['gpt-4.1', 'GPT-4.1', true],
  ['gpt-4.1', 'gpt-4.1-2025-04-14', true],
  ['Claude-Opus-5', 'claude-opus-5-20260115', true],
  ['claude-opus-5@20260115', 'claude-opus-5', true],
  ['gpt-4.1-2025-04-14', 'gpt-4.1-2025-06-01', false],
  ['gpt-4.1', 'gpt-4.1-mini', false],
])('billed as %s is what was logged as %s: %j', (billed, logged, isSame) => {
  expect(aliasesOf(new Set([billed]), new Set([logged])).get(billed)).toBe(isSame ? logged : undefined)
})

describe('an export in parts', () => {
  const header = 'date,model,type,quantity,cost'
  const first = '2026-10-01,gpt-4.1,input_tokens,1000,0.002'
  const second = '2026-10-02,gpt-4.1,input_tokens,500,0.001'
  const parts = (...files: (readonly (string | object)[])[]) => files.map((lines) => file(...lines))
  const csv = (path: readonly string[]) => all(csvStatement({ path, provider: 'openai' }))

  test('is read as one, each part with column names of its own', async () => {
    const rows = await csv(
      parts([header, first], ['model,date,type,cost,quantity', 'gpt-4.1,2026-10-02,input,0.001,500']),
    )
    expect(rows.map(({ since, quantity }) => [since, quantity])).toEqual([
      [FIRST, 1000],
      [FIRST + DAY, 500],
    ])
  })

  test('of which one is given twice counts nothing twice', async () => {
    const [path] = parts([header, first]) as [string]
    expect((await failureOf(csv([path, path]))).message).toBe(
      `CSV file ${path}, line 2: expected the line to be one that is there once, got the same as on line 2 of ${path}.`,
    )
  })

  test('of which two have the same day counts it once: with other figures, as a later export has them, too', async () => {
    const [early, late] = parts([header, first, second.replace('500', '300')], [header, second]) as [string, string]
    expect((await failureOf(csv([early, late]))).message).toBe(
      `CSV file ${late}, line 2: expected the line to be in one of the files, got what is on line 3 of ${early} with other figures: the exports overlap.`,
    )
  })

  test('of requests has each of them once', async () => {
    const row = { request_id: 'a', startTime: '2026-10-01T10:00:00Z', spend: 0.1, model: 'gpt-4.1' }
    const [one, two] = parts([row], [{ ...row, spend: 0.2 }]) as [string, string]
    const statement = liteLlmStatement({ path: [one, two], provider: 'openai' })
    expect((await failureOf(all(statement))).message).toBe(
      `LiteLLM spend log ${two}, line 1: expected the request to be one that is there once, got the same as on line 1 of ${one}.`,
    )
  })

  test('a line of JSON that is there twice is one too many', async () => {
    const row = { request_id: 'a', startTime: '2026-10-01T10:00:00Z', spend: 0.1, model: 'gpt-4.1' }
    expect((await failureOf(all(liteLlmStatement({ path: file(row, row), provider: 'openai' })))).message).toBe(
      'LiteLLM spend log, line 2: expected the request to be one that is there once, got the same as on line 1.',
    )
  })

  test.each([[[]], [['']], [[1]], [undefined]])('%j is no list of files', (path) => {
    expect(() => csvStatement({ path: path as never, provider: 'openai' })).toThrow(
      /Expected `path` to be a text, or a list of texts, got/,
    )
  })
})
