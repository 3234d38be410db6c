// The administration APIs of OpenAI and Anthropic: the official SDKs read them, and so do we, through pages, refusals and nulls.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type AdminOptions, startAdminApis } from '../../src/emulator/bills/admin.ts'
import { makeMonth } from '../../src/emulator/bills/month.ts'
import { anthropicStatement } from '../../src/reconcile/sources/anthropic.ts'
import { openaiStatement } from '../../src/reconcile/sources/openai.ts'
import { openRouterStatement } from '../../src/reconcile/sources/openrouter.ts'
import { DAY, type Period, type Statement, type StatementRow } from '../../src/reconcile/statement.ts'
import { failureOf } from '../support/ledgers.ts'

const START = Date.UTC(2026, 9, 1)
const WEEK: Period = { since: START, until: START + 7 * DAY }
const KEYS = { openai: 'sk-admin-secret', anthropic: 'sk-ant-admin-secret' }

const month = makeMonth({ seed: 5, start: START, days: 7, calls: 120, tricks: [] })

async function apis(options: AdminOptions = {}) {
  const started = await startAdminApis(month, options)
  onTestFinished(() => started.close())
  return started
}

async function all(statement: Statement, period: Period = WEEK): Promise<StatementRow[]> {
  const rows: StatementRow[] = []
  for await (const row of statement.rows(period)) rows.push(row)
  return rows
}

const sum = (rows: readonly StatementRow[]) => ({
  tokens: rows.filter(({ kind }) => kind === 'usage').reduce((total, { quantity = 0 }) => total + quantity, 0),
  requests: rows.reduce((total, { requests = 0 }) => total + requests, 0),
  cost: rows.reduce((total, { cost = 0n }) => total + cost, 0n),
})

const billed = (house: 'openai' | 'anthropic') => ({
  tokens: month.bill(house).reduce((total, { tokens }) => total + tokens, 0),
  cost: month.bill(house).reduce((total, { owed }) => total + owed, 0n) / 10_000n,
})

const noPause = { pause: async () => undefined }

describe('what is pulled', () => {
  test.each([
    ['in one piece', {}],
    ['in pages of two buckets', { pageSize: 2 }],
    ['from a server that refuses every third request', { pageSize: 20, busyEvery: 3 }],
  ])('%s is all there is', async (_, options) => {
    const { openai, anthropic } = await apis(options)
    const ours = await all(openaiStatement({ adminKey: KEYS.openai, baseUrl: openai, ...noPause }))
    expect(sum(ours)).toMatchObject({
      ...billed('openai'),
      requests: month.served.filter(({ house }) => house === 'openai').length,
    })
    const theirs = await all(anthropicStatement({ adminKey: KEYS.anthropic, baseUrl: anthropic, ...noPause }))
    expect(sum(theirs)).toMatchObject(billed('anthropic'))
  })

  test('by profile, with the price before a discount and the number of requests', async () => {
    const { anthropic } = await apis({ pageSize: 50 })
    const rows = await all(
      anthropicStatement({ adminKey: KEYS.anthropic, baseUrl: anthropic, byProfile: true, ...noPause }),
    )
    expect(sum(rows)).toMatchObject({
      ...billed('anthropic'),
      requests: month.served.filter(({ house }) => house === 'anthropic').length,
    })
    expect(new Set(rows.map(({ profile }) => profile))).toEqual(new Set(['uprof_acme', 'uprof_globex']))
    expect(rows.filter(({ kind }) => kind === 'cost').every(({ cost, listCost }) => cost === listCost)).toBe(true)
  })

  test('by profile, of more days than may be asked for at once', async () => {
    const long = makeMonth({ seed: 5, start: START, days: 40, calls: 80, tricks: [] })
    const { anthropic, close } = await startAdminApis(long)
    onTestFinished(() => close())
    const statement = anthropicStatement({ adminKey: KEYS.anthropic, baseUrl: anthropic, byProfile: true, ...noPause })
    const rows = await all(statement, { since: START, until: START + 40 * DAY })
    const owed = long.bill('anthropic').reduce((total, { owed }) => total + owed, 0n) / 10_000n
    expect(sum(rows).cost).toBe(owed)
  })

  test('the default workspace has no id, and is not left out', async () => {
    const { anthropic } = await apis()
    const rows = await all(anthropicStatement({ adminKey: KEYS.anthropic, baseUrl: anthropic }))
    expect(new Set(rows.map(({ workspace }) => workspace))).toEqual(new Set([null, 'wrkspc_jobs']))
  })

  test('waits as long as it is asked to', async () => {
    const { openai } = await apis({ busyEvery: 2, retryAfter: 7 })
    const waits: number[] = []
    await all(
      openaiStatement({ adminKey: KEYS.openai, baseUrl: openai, step: '1d', pause: async (ms) => void waits.push(ms) }),
    )
    expect(waits.length).toBeGreaterThan(5)
    expect(new Set(waits)).toEqual(new Set([7000]))
  })

  test('a key that may not read is named by its place, and not repeated', async () => {
    const { openai, anthropic } = await apis()
    for (const statement of [
      openaiStatement({ adminKey: 'sk-proj-secret', baseUrl: openai }),
      anthropicStatement({ adminKey: 'sk-ant-api-secret', baseUrl: anthropic }),
    ]) {
      const { message } = await failureOf(all(statement))
      expect(message).toContain('answered 401: the key in the environment is not one that may read usage and costs')
      expect(message).not.toContain('secret')
    }
    expect((await failureOf(all(openaiStatement({ baseUrl: openai })))).message).toContain('OPENAI_ADMIN_KEY')
    expect((await failureOf(all(anthropicStatement({ baseUrl: anthropic })))).message).toContain('ANTHROPIC_ADMIN_KEY')
    expect((await failureOf(all(openRouterStatement()))).message).toContain('OPENROUTER_MANAGEMENT_KEY')
  })
})

describe('the official SDKs', () => {
  test('the admin client of openai 7 reads what we read', async () => {
    const { openai } = await apis({ pageSize: 3 })
    const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
    const file = require.resolve('openai').replace(/[^/]+$/, 'index.mjs')
    const { default: OpenAI } = (await import(pathToFileURL(file).href)) as {
      default: new (options: object) => OpenAiAdmin
    }
    const client = new OpenAI({ apiKey: KEYS.openai, adminAPIKey: KEYS.openai, baseURL: openai, maxRetries: 0 })
    let [value, quantity] = [0n, 0]
    let page: string | undefined
    do {
      const answer = await client.admin.organization.usage.costs({
        start_time: START / 1000,
        end_time: WEEK.until / 1000,
        group_by: ['line_item', 'project_id', 'api_key_id'],
        ...(page !== undefined && { page }),
      })
      for (const { results } of answer.data)
        for (const { amount, quantity: tokens } of results) {
          value += BigInt(Math.round(amount.value * 1e12))
          quantity += tokens
        }
      page = answer.next_page ?? undefined
    } while (page !== undefined)
    expect({ cost: value, tokens: quantity }).toEqual(billed('openai'))
    const usage = await client.admin.organization.usage.completions({
      start_time: START / 1000,
      end_time: START / 1000 + 86_400,
      bucket_width: '1h',
      group_by: ['model', 'batch'],
    })
    expect(usage.data[0]).toMatchObject({ object: 'bucket', start_time: START / 1000 })
  })

  test('the analytics client of @anthropic-ai/sdk reads what we read', async () => {
    const { anthropic } = await apis({ pageSize: 7 })
    const client = new Anthropic({ apiKey: KEYS.anthropic, baseURL: anthropic, maxRetries: 0 })
    const costs = client.beta.organization.analytics.cost.list({
      starting_at: new Date(START).toISOString(),
      ending_at: new Date(WEEK.until).toISOString(),
      time_bucket_width: '1d',
      group_by: ['model', 'cost_type', 'token_type'],
      betas: ['analytics-usage-cost-2026-08-24'],
    })
    let cents = 0n
    for await (const { cost } of costs) {
      const [whole = '0', fraction = ''] = cost.amount.split('.')
      cents += BigInt(whole + fraction.padEnd(10, '0').slice(0, 10))
    }
    expect(cents).toBe(billed('anthropic').cost)
  })
})

interface OpenAiAdmin {
  readonly admin: {
    readonly organization: {
      readonly usage: {
        costs(query: object): Promise<{
          data: { results: { amount: { value: number }; quantity: number }[] }[]
          next_page: string | null
        }>
        completions(query: object): Promise<{ data: object[] }>
      }
    }
  }
}

/** A server that answers with one thing, whatever it is asked. */
async function answering(body: unknown): Promise<string> {
  const server = createServer((_, response) => response.end(typeof body === 'string' ? body : JSON.stringify(body)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve()).closeAllConnections()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('an answer that is not what it was', () => {
  const day = { since: START, until: START + DAY }
  const bucket = (results: unknown[], over: object = {}) => ({
    object: 'page',
    data: [{ object: 'bucket', start_time: START / 1000, end_time: START / 1000 + 86_400, results, ...over }],
    has_more: false,
    next_page: null,
  })
  const result = {
    object: 'organization.usage.completions.result',
    input_tokens: 10,
    output_tokens: 1,
    num_model_requests: 1,
  }

  test.each([
    [
      'a field is gone',
      bucket([{ ...result, input_tokens: undefined }]),
      '`input_tokens` to be a whole number of at least 0, got nothing',
    ],
    [
      'a count is a text',
      bucket([{ ...result, output_tokens: 'many' }]),
      '`output_tokens` to be a whole number of at least 0, got "many"',
    ],
    [
      'a part is more than the whole',
      bucket([{ ...result, input_cached_tokens: 11 }]),
      '`input_tokens` to be at least the sum of its parts, got 10',
    ],
    [
      'a kind is new',
      bucket([{ object: 'organization.usage.dreams.result' }]),
      '`object` to be a kind of result that is known, got "organization.usage.dreams.result"',
    ],
    [
      'the buckets begin elsewhere',
      bucket([], { start_time: START / 1000 - 28_800, end_time: START / 1000 + 57_600 }),
      'begins at 2026-10-01T00:00:00.000Z, got one that begins at 2026-09-30T16:00:00.000Z',
    ],
    [
      'the buckets are of another width',
      bucket([], { end_time: START / 1000 + 3600 }),
      'the bucket to be one of 1440 minutes',
    ],
    ['a bucket is missing', { ...bucket([]), data: [] }, 'the report to be one until 2026-10-02T00:00:00.000Z'],
    [
      'the pages go in a circle',
      { ...bucket([]), data: [], has_more: true, next_page: 'page_1' },
      '`next_page` to be a page that was not asked for yet, got "page_1"',
    ],
    ['it breaks off', '{"object":"page","data":[{"obj', 'the answer to be JSON, got a text of'],
  ])('%s: it stops, and says what came', async (_, body, sentence) => {
    const statement = openaiStatement({ adminKey: KEYS.openai, baseUrl: await answering(body), step: '1d' })
    const error = await failureOf(all(statement, day))
    expect(error.code).toBe('BAD_INPUT')
    expect(error.message).toContain(sentence)
  })

  test('another currency is not taken for dollars', async () => {
    const rows = [
      {
        amount: '12.5',
        currency: 'EUR',
        cost_type: 'tokens',
        token_type: 'output_tokens',
        model: 'm',
        description: 'd',
      },
    ]
    const body = {
      data: [{ starting_at: '2026-10-01T00:00:00Z', ending_at: '2026-10-02T00:00:00Z', results: [] }],
      has_more: false,
      next_page: null,
    }
    const url = await answering({ ...body, data: [{ ...body.data[0], results: rows }] })
    // The usage report comes first, and has other fields: its results are none here.
    const statement = anthropicStatement({ adminKey: KEYS.anthropic, baseUrl: url, step: '1d' })
    const { message } = await failureOf(all(statement, day))
    expect(message).toMatch(/expected `(cache_creation|currency)`/)
  })

  test('activity of OpenRouter: a row a model, prompt and completion apart', async () => {
    const item = {
      date: '2026-10-01',
      model: 'openai/gpt-4.1',
      provider_name: 'OpenAI',
      usage: 0.015,
      requests: 5,
      prompt_tokens: 50,
      completion_tokens: 125,
      reasoning_tokens: 25,
      byok_usage_inference: 0,
    }
    const url = await answering({ data: [item] })
    const rows = await all(openRouterStatement({ managementKey: 'k', baseUrl: url }), day)
    expect(sum(rows)).toEqual({ tokens: 175, requests: 5, cost: 15_000_000_000n })
    const wrong = await answering({ data: [{ ...item, date: '2026-10-03' }] })
    const { message } = await failureOf(all(openRouterStatement({ managementKey: 'k', baseUrl: wrong }), day))
    expect(message).toBe('OpenRouter activity, 2026-10-01: expected `date` to be 2026-10-01, got "2026-10-03".')
  })

  test('a generation of OpenRouter is one request, exact', async () => {
    const url = await answering({
      data: { id: 'gen-1', created_at: '2026-10-01T10:00:00Z', model: 'openai/gpt-4.1', total_cost: 0.0015 },
    })
    const rows = await all(openRouterStatement({ managementKey: 'k', baseUrl: url, generations: ['gen-1'] }), day)
    expect(rows).toMatchObject([{ responseId: 'gen-1', cost: 1_500_000_000n, requests: 1 }])
  })
})
