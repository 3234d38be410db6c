// What the server says of its ledger, over real HTTP: the figures, what a wrong question is told, and who sees what.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LimitMode } from '../../src/errors.ts'
import type { LLMEvent } from '../../src/event.ts'
import { httpLimitStore } from '../../src/limits/http-store.ts'
import { ruleOf } from '../../src/limits/limit.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import type { ApiKey } from '../../src/server/keys.ts'
import { fill, storyOf } from '../support/bookful.ts'
import { type DashboardOptions, dashboard } from '../support/browser.ts'
import { putDays } from '../support/reconciled.ts'

const NOW = Date.UTC(2026, 10, 22, 10, 30)
const KEYS: readonly ApiKey[] = [
  { key: 'all' },
  { key: 'looks', role: 'read' },
  { key: 'sends', role: 'ingest' },
  { key: 'acme', role: 'read', tenant: 'acme' },
  { key: 'web', project: 'web' },
]

const event = (over: Partial<LLMEvent> = {}): LLMEvent => ({
  eventId: `e-${++made}`,
  timestamp: '2026-11-20T09:15:00.000Z',
  tenantId: 'acme',
  provider: 'openai',
  model: 'gpt-5',
  endpoint: 'responses',
  usageSource: 'reported',
  inputTokens: 1000,
  outputTokens: 100,
  costUsd: '0.000000000001',
  costSource: 'priced',
  ...over,
})
let made = 0

async function stage(events: readonly LLMEvent[], options: DashboardOptions = {}) {
  const server = await dashboard({ apiKeys: KEYS, now: () => NOW, ...options })
  onTestFinished(() => server[Symbol.asyncDispose]())
  await fill(server.ledger, events)
  const get = (
    path: string,
    key = 'all',
    init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
  ) => fetch(`${server.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } })
  const json = async (path: string, key = 'all') => {
    const response = await get(path, key)
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const text = async (path: string, key = 'all', init: Parameters<typeof get>[2] = {}) =>
    (await get(path, key, init)).text()
  return { ...server, get, json, text }
}

test('totals are those of the ledger, to the last digit, by any dimension', async () => {
  const server = await stage([
    event({ costUsd: '1.000000000001', tags: { plan: 'pro' } }),
    event({ costUsd: '2', feature: 'chat', error: 'http_529' }),
    event({ tenantId: 'birch', costUsd: '0.5', resaleUsd: '0.75' }),
  ])
  const { body } = await server.json('/v1/totals?by=tenant')
  expect(body).toMatchObject({
    by: ['tenant'],
    count: 2,
    rows: [
      { tenant: 'acme', calls: 2, errors: 1, cost_usd: '3.000000000001', resale_usd: null },
      { tenant: 'birch', calls: 1, cost_usd: '0.5', resale_usd: '0.75' },
    ],
    total: { calls: 3, cost_usd: '3.500000000001', resale_usd: '0.75' },
  })
  const byTag = await server.json('/v1/totals?by=tag:plan&order=key')
  expect(byTag.body.rows).toMatchObject([{ 'tag:plan': null }, { 'tag:plan': 'pro', calls: 1 }])
})

test('filters and ranges narrow what is counted; an empty value is for events that have none', async () => {
  const server = await stage([
    event({ feature: 'chat', timestamp: '2026-11-19T23:59:59.999Z' }),
    event({ timestamp: '2026-11-20T00:00:00.000Z' }),
    event({ tenantId: 'birch', timestamp: '2026-11-20T00:00:00.000Z' }),
  ])
  const calls = async (query: string) =>
    ((await server.json(`/v1/totals?${query}`)).body.total as { calls: number }).calls
  expect(await calls('since=2026-11-20')).toBe(2)
  expect(await calls('until=2026-11-20')).toBe(1)
  expect(await calls(`since=${Date.UTC(2026, 10, 20)}&where.tenant=acme`)).toBe(1)
  expect(await calls('where.tenant=acme&where.tenant=birch')).toBe(3)
  expect(await calls('where.feature=')).toBe(2)
  expect(await calls('since=9999-01-01')).toBe(0)
})

test('a series has a point for each day of a zone, and what is left is one row', async () => {
  const server = await stage([
    event({ timestamp: '2026-11-19T23:30:00.000Z', costUsd: '1' }),
    event({ timestamp: '2026-11-20T12:00:00.000Z', costUsd: '2', model: 'gpt-5-mini' }),
  ])
  const range = 'since=2026-11-18T23:00Z&until=2026-11-20T23:00Z'
  const { body } = await server.json(`/v1/series?every=day&time_zone=Europe/Vienna&by=model&top=1&${range}`)
  expect(body).toMatchObject({
    time_zone: 'Europe/Vienna',
    buckets: ['2026-11-18T23:00:00.000Z', '2026-11-19T23:00:00.000Z'],
    rows: [
      { key: 'gpt-5-mini', cost_usd: ['0', '2'] },
      { key: null, is_other: true, cost_usd: ['0', '1'], calls: [0, 1] },
    ],
  })
})

test('the summary is of today, this month and its end', async () => {
  const server = await stage([event({ timestamp: new Date(NOW - 60_000).toISOString(), costUsd: '2.5' })])
  const { body } = await server.json('/v1/summary')
  expect(body).toMatchObject({
    today: { cost_usd: '2.5', calls: 1 },
    yesterday: { calls: 0 },
    this_month: { cost_usd: '2.5' },
    projected: { days: 0, low_usd: '2.5' },
  })
})

test('events come by the page, and one by its id', async () => {
  const server = await stage([1, 2, 3].map((day) => event({ timestamp: `2026-11-0${day}T00:00:00.000Z` })))
  const first = (await server.json('/v1/events?limit=2')).body as {
    events: { timestamp: string; event_id: string }[]
    next: string
  }
  expect(first.events.map(({ timestamp }) => timestamp.slice(0, 10))).toEqual(['2026-11-03', '2026-11-02'])
  const last = (await server.json(`/v1/events?limit=2&cursor=${first.next}`)).body as typeof first
  expect(last.events).toHaveLength(1)
  expect(last.next).toBeNull()
  const id = last.events[0]!.event_id
  expect(await server.json(`/v1/events/${id}`)).toMatchObject({ status: 200, body: { event_id: id, model: 'gpt-5' } })
  expect(await server.json('/v1/events/none')).toEqual({
    status: 404,
    body: { error: 'There is no event with this id.' },
  })
})

test('bills stand beside what was logged, with the causes of what they differ by', async () => {
  const server = await stage([])
  const nothing = { rows: [], total: { billed_usd: '0', logged_usd: '0', difference_usd: '0', causes: [] } }
  expect((await server.json('/v1/reconciliations')).body).toMatchObject(nothing)
  const at = Date.UTC(2026, 10, 21, 6)
  await putDays(
    { path: join(server.folder, 'ledger.db') },
    { day: '2026-11-19', logged: 10n ** 12n, causes: { 'price-book': 1n } },
    { day: '2026-11-20', logged: 2n * 10n ** 12n, status: 'fail', causes: { 'not-logged': 3n, 'price-book': -4n }, at },
    { day: '2026-11-20', source: 'focus', logged: 5n },
  )
  const { body } = await server.json('/v1/reconciliations?since=2026-11-19&source=openai')
  expect(body).toEqual({
    since: '2026-11-19T00:00:00.000Z',
    until: null,
    rows: [
      {
        day: '2026-11-20',
        source: 'openai',
        provider: 'openai',
        status: 'fail',
        billed_usd: '1.999999999999',
        logged_usd: '2',
        difference_usd: '-0.000000000001',
        causes: [
          { cause: 'price-book', usd: '-0.000000000004' },
          { cause: 'not-logged', usd: '0.000000000003' },
        ],
        compared_at: '2026-11-21T06:00:00.000Z',
      },
      expect.objectContaining({ day: '2026-11-19', status: 'ok', difference_usd: '0.000000000001' }),
    ],
    total: {
      billed_usd: '3',
      logged_usd: '3',
      difference_usd: '0',
      causes: [
        { cause: 'price-book', usd: '-0.000000000003' },
        { cause: 'not-logged', usd: '0.000000000003' },
      ],
    },
  })
  expect((await server.json('/v1/reconciliations?until=2026-11-20')).body.rows).toHaveLength(1)
  const csv = await server.text('/v1/reconciliations?format=csv&source=focus')
  expect(csv.split('\r\n').slice(0, 2)).toEqual([
    'day,source,provider,status,billed_usd,logged_usd,difference_usd,causes,compared_at',
    '2026-11-20,focus,openai,ok,0.000000000005,0.000000000005,0,[],2026-11-20T00:00:00.000Z',
  ])
})

test('percentiles are of calls that have the figure', async () => {
  const server = await stage([event({ durationMs: 100 }), event({ durationMs: 300 }), event()])
  const { body } = await server.json('/v1/percentiles?of=duration_ms&by=model')
  expect(body.rows).toEqual([{ model: 'gpt-5', calls: 2, p50: 100, p90: 300, p95: 300, p99: 300 }])
  const cost = await server.json('/v1/percentiles?of=cost')
  expect(cost.body.rows).toMatchObject([{ calls: 3, p99: '0.000000000001' }])
})

test('every table is CSV too, and a spreadsheet runs nothing of it', async () => {
  const server = await stage([event({ tenantId: '=cmd|calc', feature: 'a,"b"\r\nc', costUsd: '0.25' })])
  const csv = await server.text('/v1/totals?by=tenant,feature', 'all', { headers: { accept: 'text/csv' } })
  expect(csv.split('\r\n')[0]).toBe(
    'tenant,feature,calls,errors,input_tokens,cached_tokens,output_tokens,cost_usd,unpriced,estimated,resale_usd',
  )
  expect(csv).toContain(`'=cmd|calc,"a,""b""\r\nc",1,0,1000,0,100,0.25,0,0,`)
  for (const path of ['summary', 'series', 'events', 'limits', 'percentiles', 'reconciliations', 'changes']) {
    const response = await server.get(`/v1/${path}?format=csv`)
    expect(response.headers.get('content-type'), path).toBe('text/csv; charset=utf-8')
    expect(response.headers.get('content-disposition'), path).toMatch(/^attachment; filename="[\w-]+\.csv"$/)
    expect((await response.text()).split('\r\n').length, path).toBeGreaterThan(1)
  }
})

test.each([
  ['totals?by=colour', '`by` takes tenant, user,'],
  ['totals?by=tenant,tenant', '`by` names one dimension twice.'],
  ['totals?by=tenant,user,model,feature,app', '`by` takes at most 4 dimensions.'],
  [
    'totals?sinse=2026-11-01',
    'There is no parameter `sinse` here: it takes `by`, `since`, `until`, `where.<dimension>`, `order`, `limit`, `offset` and `format`.',
  ],
  ['totals?where.colour=red', '`where.colour` takes tenant, user,'],
  [
    'totals?since=yesterday',
    'Expected `since` to be a moment such as 2026-11-01, 2026-11-01T14:00Z or milliseconds since 1970',
  ],
  ['totals?since=99999999999999999', 'Expected `since` to be a moment'],
  ['totals?since=2026-11-02&until=2026-11-01', 'Expected `since` to be before `until`.'],
  ['totals?limit=0', 'Expected `limit` to be a whole number from 1 to 10000'],
  ['totals?limit=1&limit=2', '`limit` can be given once only.'],
  ['totals?order=price', 'Expected `order` to be one of cost, calls, input_tokens, output_tokens, key'],
  ['totals?format=xml', 'Expected `format` to be one of json, csv'],
  ['series?every=minute', 'Expected `every` to be one of hour, day, week, month'],
  ['series?time_zone=Mars/Olympus', 'Expected `time_zone` to be a time zone such as Europe/Vienna'],
  ['series?every=hour&since=0001-01-01', 'A series has at most 5000 points: ask for a longer `every`.'],
  ['series?by=tenant,model', '`by` of a series takes one dimension, and not `day`.'],
  ['percentiles?of=mood', 'Expected `of` to be one of duration_ms, time_to_first_token_ms, cost'],
  ['reconciliations?where.tenant=acme', 'There is no parameter `where.tenant` here: it takes `source`, `since`,'],
  ['events?cursor=nonsense', 'Expected `cursor` to be the `next` of the page before.'],
  ['events/%ff', 'Expected the id of the event to be percent-encoded UTF-8.'],
  ['usage', 'Say whose usage it is about: `?tenant=<id>`.'],
])('%s is refused with one sentence', async (path, sentence) => {
  const server = await stage([])
  const { status, body } = await server.json(`/v1/${path}`)
  expect(status).toBe(400)
  expect(body.error).toContain(sentence)
  expect(String(body.error)).not.toContain('\n')
})

test('SQL in every value that is asked for finds nothing and harms nothing', async () => {
  const server = await stage([event()])
  const evil = encodeURIComponent(`' OR 1=1; DROP TABLE events; --`)
  for (const name of ['tenant', 'model', 'tag:x', `tag:${decodeURIComponent(evil)}`])
    expect((await server.json(`/v1/totals?where.${encodeURIComponent(name)}=${evil}`)).body.total).toMatchObject({
      calls: 0,
    })
  expect((await server.json(`/v1/events/${evil}`)).status).toBe(404)
  expect((await server.json(`/v1/totals?by=${encodeURIComponent(`tag:${decodeURIComponent(evil)}`)}`)).status).toBe(200)
  expect((await server.json('/v1/totals')).body.total).toMatchObject({ calls: 1 })
})

const VIEWS = [
  'summary',
  'totals',
  'series',
  'percentiles',
  'events',
  'events/e',
  'limits',
  'reconciliations',
  'health',
  'usage?tenant=acme',
]

test('a key of a role opens what the role is for, and nothing else', async () => {
  const server = await stage([event()])
  const post = (key: string) => server.get('/v1/ingest', key, { method: 'POST', body: '{}' })
  const put = (key: string) => server.get('/v1/limits/acme', key, { method: 'PUT', body: '{"usd":"5"}' })
  for (const path of VIEWS) {
    expect((await server.get(`/v1/${path}`, 'sends')).status, path).toBe(403)
    expect((await server.get(`/v1/${path}`, 'nobody')).status, path).toBe(401)
    expect([200, 404], path).toContain((await server.get(`/v1/${path}`, 'looks')).status)
  }
  expect([(await post('looks')).status, (await put('looks')).status]).toEqual([403, 403])
  expect([(await post('sends')).status, (await put('sends')).status]).toEqual([400, 200])
  expect([(await server.get('/metrics', 'looks')).status, (await server.get('/metrics', 'sends')).status]).toEqual([
    200, 403,
  ])
  expect((await server.get('/v1/changes', 'looks')).status).toBe(403)
  expect((await server.get('/v1/limits/acme', 'looks')).status).toBe(200)
})

test('a key of one tenant sees the usage of that tenant alone', async () => {
  const server = await stage([event({ costUsd: '1' }), event({ tenantId: 'birch', costUsd: '7' })])
  const { status, body } = await server.json('/v1/usage', 'acme')
  expect(status).toBe(200)
  expect(body).toMatchObject({ tenant_id: 'acme', amounts: 'cost', total: { calls: 1, usd: '1' } })
  expect(JSON.stringify(body)).not.toMatch(/birch|7/)
  expect((await server.get('/v1/usage?tenant=birch', 'acme')).status).toBe(403)
  for (const path of VIEWS.filter((path) => !path.startsWith('usage')))
    expect((await server.get(`/v1/${path}`, 'acme')).status, path).toBe(403)
  for (const path of ['/v1/limits/acme', '/v1/limits/birch', '/metrics', '/v1/changes'])
    expect((await server.get(path, 'acme')).status, path).toBe(403)
  expect((await server.get('/v1/ingest', 'acme', { method: 'POST', body: '{}' })).status).toBe(403)
})

test('a tenant sees what it is charged, and not what that cost', async () => {
  const server = await stage([
    event({ costUsd: '1', resaleUsd: '1.3', userId: 'u' }),
    event({ costUsd: '3', resaleUsd: '3.9', feature: 'f' }),
  ])
  await server.ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 16n * 10n ** 12n, mode: 'expected' })
  const { body } = await server.json('/v1/usage', 'acme')
  expect(body).toMatchObject({
    amounts: 'charged',
    total: { usd: '5.2' },
    limits: [{ window: 'month', used_percent: 25 }],
  })
  expect(JSON.stringify(body)).not.toMatch(/"(1|3|4|16)"/)
})

test('the usage page says what the JSON says, runs nothing, and takes no name for markup', async () => {
  const name = '<img src=x onerror=alert(1)>&"\''
  const server = await stage([
    event({ costUsd: '1.25', model: name, userId: name, feature: name }),
    event({ costUsd: '2', timestamp: '2026-11-21T09:15:00.000Z' }),
  ])
  await server.ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 3n * 10n ** 12n, mode: 'hard' })
  const asked = await server.get('/v1/usage', 'acme', { headers: { accept: 'text/html,*/*;q=0.8' } })
  const page = await asked.text()
  expect(await server.text('/v1/usage?format=html', 'acme')).toBe(page)
  expect(asked.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const style = createHash('sha256')
    .update(/<style>([^<]*)<\/style>/.exec(page)![1]!)
    .digest('base64')
  expect(asked.headers.get('content-security-policy')).toBe(
    `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'`,
  )
  expect(page).not.toMatch(/<(?:script|img|link|a|form|iframe)\b|<[^>]* on\w+=|url\(/)
  expect(page.match(/&lt;img src=x onerror=alert\(1\)&gt;&amp;&quot;&#39;/g)).toHaveLength(3)
  for (const said of ['$3.25', '2 calls', '2026-11-21', '>108.3 %<', '($3.25 of $3.00), resets 2026-12-01 00:00 UTC'])
    expect(page).toContain(said)
  expect((await server.get('/v1/totals?format=html')).status).toBe(400)
  expect((await server.get('/v1/usage?format=html&tenant=birch', 'acme')).status).toBe(403)
})

test('the usage page of a tenant who is charged more tells no sum of a limit, and of nobody there is no table', async () => {
  const server = await stage([event({ costUsd: '1', resaleUsd: '1.3' })])
  await server.ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 4n * 10n ** 12n, mode: 'expected' })
  const page = await server.text('/v1/usage?format=html', 'acme')
  expect(page).toContain('<strong>25 %</strong> used, resets')
  expect(page).toContain('$1.30')
  expect(page).not.toMatch(/\$(?:1\.00|4\.00)|By feature|By user/)
  expect(await server.text('/v1/usage?format=html&tenant=nobody')).toMatch(/\$0\.00[\s\S]*0 calls/)
})

test('a key of one project sees the calls of that project alone', async () => {
  const mine = event({ project: 'web', costUsd: '1' })
  const others = event({ project: 'batch', tenantId: 'birch', costUsd: '7' })
  const server = await stage([mine, others, event({ costUsd: '9' })])
  expect((await server.json('/v1/totals', 'web')).body.total).toMatchObject({ calls: 1, cost_usd: '1' })
  expect((await server.json('/v1/totals?by=tenant', 'web')).body.rows).toHaveLength(1)
  expect((await server.json('/v1/summary?where.tenant=birch', 'web')).body.this_month).toMatchObject({ calls: 0 })
  expect((await server.json('/v1/events', 'web')).body.events).toHaveLength(1)
  expect((await server.get(`/v1/events/${mine.eventId}`, 'web')).status).toBe(200)
  expect((await server.get(`/v1/events/${others.eventId}`, 'web')).status).toBe(404)
  expect((await server.json('/v1/usage?tenant=birch', 'web')).body.total).toMatchObject({ calls: 0 })
  expect((await server.get('/v1/totals?where.project=batch', 'web')).status).toBe(400)
  expect((await server.get('/v1/health', 'web')).status).toBe(403)
  expect((await server.get('/v1/changes', 'web')).status).toBe(403)
  expect((await server.get('/v1/reconciliations', 'web')).status).toBe(403)
})

test('who changed which limit is told, with how it was before, and not by which key', async () => {
  const server = await stage([])
  const put = (usd: string) => server.get('/v1/limits/acme', 'sends', { method: 'PUT', body: JSON.stringify({ usd }) })
  await put('5')
  await put('7.5')
  await server.get('/v1/limits/acme', 'all', { method: 'DELETE' })
  await server.get('/v1/limits/acme', 'all', { method: 'DELETE' })
  const { changes } = (await server.json('/v1/changes')).body as { changes: { what: string; by: string }[] }
  const limits = changes.filter(({ what }) => what.startsWith('limit'))
  expect(limits).toMatchObject([
    { what: 'limit.removed', of: 'acme', before: '$7.5 per month, expected', after: null },
    { what: 'limit.set', of: 'acme', before: '$5 per month, expected', after: '$7.5 per month, expected' },
    { what: 'limit.set', of: 'acme', before: null, after: '$5 per month, expected' },
  ])
  expect(limits[0]!.by).toMatch(/^[0-9a-f]{8}$/)
  expect(limits[1]!.by).not.toBe(limits[0]!.by)
  const added = changes.filter(({ what }) => what === 'key.added')
  expect(added).toHaveLength(KEYS.length)
})

test('limits of a store are told as it has them, those with a time zone and those that the ledger has lost too', async () => {
  const limitStore = memoryLimitStore()
  const { get, json, text } = await stage([event({ costUsd: '1', timestamp: '2026-11-22T09:15:00.000Z' })], {
    limitStore,
  })
  const zoned = { usd: 5, per: 'week', timeZone: 'Europe/Vienna' } as const
  await limitStore.setLimit(ruleOf('acme', zoned))
  await limitStore.setLimit(ruleOf('acme', { usd: 2, per: 'hour', rolling: true }))
  await limitStore.setLimit(ruleOf('lost', { usd: 3 }))
  await limitStore.setLimit(ruleOf({ tenant: 'acme', feature: 'search' }, { usd: 4 }))
  const week = { window: 'week', limit_usd: '5', spent_usd: '1', resets_at: '2026-11-22T23:00:00.000Z' }
  expect((await json('/v1/limits/acme')).body['limits']).toMatchObject([
    { ...week, mode: 'expected', settings: { time_zone: 'Europe/Vienna' } },
    { window: 'hour', resets_at: null, settings: { rolling: true } },
  ])
  expect((await json('/v1/limits')).body['limits']).toMatchObject([
    { tenant_id: 'acme', ...week },
    { tenant_id: 'acme', window: 'hour' },
    { tenant_id: 'lost', window: 'month', limit_usd: '3', spent_usd: '0' },
  ])
  expect(await text('/v1/limits?format=csv')).toContain('acme,week,5,1,2026-11-22T23:00:00.000Z,expected')
  expect((await json('/v1/usage?tenant=acme')).body['limits']).toMatchObject([week, { window: 'hour' }])
  await get('/v1/limits/acme?per=week', 'all', { method: 'DELETE' })
  expect((await json('/v1/limits/acme')).body['limits']).toMatchObject([{ window: 'hour' }])
  const { changes } = (await json('/v1/changes')).body as { changes: { before: string }[] }
  expect(changes[0]).toMatchObject({ before: '$5 per week, expected, {"timeZone":"Europe/Vienna"}' })
})

test('a limit that an application sets over its leases is in the trail, and once however often it starts', async () => {
  const server = await stage([], { limitStore: memoryLimitStore() })
  const store = httpLimitStore({ url: server.url, apiKey: 'sends' })
  const search = ruleOf({ tenant: 'acme', feature: 'search' }, { usd: 5, per: 'day', mode: 'hard', rolling: true })
  for (const rule of [ruleOf('acme', { usd: 2 }), search, search, ruleOf('acme', { usd: 2 })])
    await store.setLimit(rule)
  await store.removeLimit({ scope: search.scope, per: 'day' })
  await store.removeLimit({ scope: search.scope, per: 'day' })
  const { changes } = (await server.json('/v1/changes')).body as { changes: { what: string; by: string }[] }
  const said = '$5 per day, hard, {"rolling":true}'
  expect(changes.filter(({ what }) => what.startsWith('limit'))).toMatchObject([
    { what: 'limit.removed', of: 'tenant=acme&feature=search', before: said, after: null },
    { what: 'limit.set', of: 'tenant=acme&feature=search', before: null, after: said },
    { what: 'limit.set', of: 'acme', before: null, after: '$2 per month, expected' },
  ])
  expect(changes[0]!.by).toMatch(/^[0-9a-f]{8}$/)
})

test('a thousand limits set one after the other are not read a thousand times over', async () => {
  const behind = memoryLimitStore()
  let read = 0
  const counted = async (since: number) => {
    const changes = await behind.changes(since)
    read += changes.rules.length
    return changes
  }
  const server = await stage([], { limitStore: { ...behind, changes: counted } })
  const store = httpLimitStore({ url: server.url, apiKey: 'sends' })
  for (let i = 0; i < 1000; i++) await store.setLimit(ruleOf(`t-${i}`, { usd: 1 }))
  expect(read).toBeLessThan(2000)
  await behind.setLimit(ruleOf('t-7', { usd: 3 }))
  await store.setLimit(ruleOf('t-7', { usd: 4 }))
  const { changes } = (await server.json('/v1/changes')).body as { changes: { before: string }[] }
  expect(changes[0]).toMatchObject({ of: 't-7', before: '$3 per month, expected', after: '$4 per month, expected' })
})

test.each([61, 2001])('%d limits are told with what is spent of each', async (count) => {
  const server = await stage(storyOf(200, NOW, 20))
  const put = (tenantId: string, mode: LimitMode) =>
    server.ledger.putLimit({ tenantId, window: 'month', limit: 10n ** 12n, mode })
  // The last in order, so that of two thousand it is asked for with the third thousand.
  for (let i = 1; i < count; i++) await put(`a-${i}`, 'expected')
  await put('fjord-travel', 'hard')
  const { limits } = (await server.json('/v1/limits')).body as { limits: Record<string, string>[] }
  expect(limits).toHaveLength(count)
  const own = limits.find(({ tenant_id }) => tenant_id === 'fjord-travel')
  const month = (await server.json('/v1/totals?where.tenant=fjord-travel&since=2026-11')).body.total
  expect(own).toMatchObject({ mode: 'hard', spent_usd: (month as { cost_usd: string }).cost_usd })
})

test('health says since when the server runs and how fresh the ledger is', async () => {
  const server = await stage([event()])
  expect((await server.json('/v1/health', 'looks')).body).toMatchObject({
    ready: true,
    newest_event_at: '2026-11-20T09:15:00.000Z',
    problems: [],
    started_at: new Date(NOW).toISOString(),
  })
})

test('views are read only, and are not there where the server has no view of the ledger', async () => {
  const server = await stage([])
  const response = await server.get('/v1/totals', 'all', { method: 'POST', body: '{}' })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET'])
})
