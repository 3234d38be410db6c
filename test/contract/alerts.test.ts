// Alerts of a ledger, on both databases: each told once, when it begins and when it is over, whatever happens in between.

import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { alertConfigOf } from '../../src/alerts/config.ts'
import {
  type AlertTarget,
  callback,
  type Notice,
  SIGNATURE_HEADER,
  slack,
  verifyAlert,
  type WatchAlertsOptions,
  watchAlerts,
  webhook,
} from '../../src/alerts/index.ts'
import type { LLMEvent } from '../../src/event.ts'
import { sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import type { Problem } from '../../src/problems.ts'
import type { EventLedger } from '../../src/sinks/ledger.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { DAY, event, postgresServer, signal, stopServers } from '../support/ledgers.ts'
import { putDays } from '../support/reconciled.ts'
import { readText } from '../support/source-tree.ts'

afterAll(stopServers)

const HOUR = 3_600_000
const NOON = Date.UTC(2026, 10, 18, 12)
const USD = 10n ** 12n

type Place = Pick<WatchAlertsOptions, 'path' | 'databaseUrl' | 'schema'>

interface Scene {
  readonly place: Place
  readonly ledger: EventLedger
  readonly folder: string
}

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

const SCENES: Record<string, () => Promise<Scene>> = {
  async SQLite() {
    const path = join(folder(), 'ledger.db')
    return { place: { path }, ledger: sqliteLedger({ path }), folder: join(path, '..') }
  },
  async PostgreSQL() {
    const server = await postgresServer()
    const place = { databaseUrl: server.url, schema: server.schema() }
    onTestFinished(async () => void (await server.run(`DROP SCHEMA IF EXISTS ${place.schema} CASCADE`)))
    return { place, ledger: postgresLedger(place), folder: folder() }
  },
}

/** Only what a test is about. */
const NONE = { limits: false, anomalies: false, unpriced: false, drift: false, bills: false } as const

describe.each(Object.entries(SCENES))('in %s', (_, sceneOf) => {
  let scene: Scene
  let at = NOON
  let told: Notice[] = []
  let problems: Problem[] = []
  beforeEach(async () => {
    ;[at, told, problems] = [NOON, [], []]
    scene = await sceneOf()
    await scene.ledger.limits()
    onTestFinished(() => scene.ledger.close())
  })

  const put = (...events: readonly LLMEvent[]) => scene.ledger.send({ id: 'b', events }, signal)
  const spend = (usd: string, when: number, tenantId = 'acme') =>
    put(event({ at: when, tenantId, costUsd: usd, costSource: 'reported' }))

  function watch(options: Partial<WatchAlertsOptions> = {}) {
    const watching = watchAlerts({
      ...NONE,
      ...scene.place,
      to: [callback('test', (notice) => told.push(notice))],
      everyMs: 0,
      now: () => at,
      onProblem: (problem) => problems.push(problem),
      ...options,
    })
    onTestFinished(() => watching.close())
    return watching
  }

  const said = () => told.splice(0).map(({ status, key }) => `${status} ${key}`)

  test('a limit is told of at each share, once, and again when its window is over', async () => {
    await scene.ledger.putLimit({ tenantId: 'acme', window: 'day', limit: 50n * USD, mode: 'hard' })
    await scene.ledger.putLimit({ tenantId: 'calm', window: 'month', limit: 50n * USD, mode: 'hard' })
    const watching = watch({ limits: {} })
    await spend('39.99', NOON)
    expect(await watching.check()).toEqual({ firing: 0, told: 0, failed: 0 })
    await spend('0.01', NOON)
    await watching.check()
    expect(told).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        status: 'firing',
        key: 'limit:tenant=acme:day:2026-11-18:80',
        kind: 'limit',
        severity: 'warning',
        message: 'acme spent $40 of the limit of $50 a day: 80 % is reached.',
        tenantId: 'acme',
        since: '2026-11-18T12:00:00.000Z',
        details: {
          scope: 'tenant=acme',
          window: 'day',
          mode: 'hard',
          share_percent: 80,
          limit_usd: '50',
          spent_usd: '40',
          resets_at: '2026-11-19T00:00:00.000Z',
        },
      },
    ])
    said()
    await spend('10', NOON)
    await watching.check()
    await watching.check()
    expect(said()).toEqual(['firing limit:tenant=acme:day:2026-11-18:100'])
    at += DAY
    await watching.check()
    expect(told.map(({ until }) => until)).toEqual(Array(2).fill('2026-11-19T12:00:00.000Z'))
    expect(said().sort()).toEqual([
      'resolved limit:tenant=acme:day:2026-11-18:100',
      'resolved limit:tenant=acme:day:2026-11-18:80',
    ])
    await watching.check()
    expect(said()).toEqual([])
  })

  test('limits of more tenants than are asked for by name are told of likewise', async () => {
    const tenants = Array.from({ length: 60 }, (_, i) => `t${i}`)
    for (const tenantId of tenants)
      await scene.ledger.putLimit({ tenantId, window: 'month', limit: 10n * USD, mode: 'hard' })
    await put(...tenants.map((tenantId, i) => event({ at: NOON, tenantId, costUsd: i % 2 ? '8' : '7.99' })))
    expect(await watch({ limits: {} }).check()).toMatchObject({ firing: 30, told: 30 })
  })

  test.each([
    ['tenant=acme&feature=search', 'feature search of acme'],
    ['tenant=acme', 'acme'],
    ['feature=search', 'feature search'],
    ['organization=big', 'organization big'],
    ['*', 'Everything'],
    ['project=web&tenant=acme', 'acme in project web'],
    ['project=web&*', 'Everything in project web'],
  ])('a limit of %s is told of where a limit store has it', async (scope, words) => {
    const limitStore = sqliteLimitStore({ path: join(scene.folder, 'limits.db') })
    onTestFinished(async () => void (await limitStore.close?.()))
    const rule = { scope, per: 'month', limitNanoUsd: 10n ** 10n, mode: 'hard' } as const
    await limitStore.setLimit({ ...rule, settings: { timeZone: 'Europe/Vienna' } })
    const window = { windowId: '2026-11 Europe/Vienna', earlier: [] }
    const step = { leaseId: 'l', seq: 1, need: 0n, least: 0n, want: 0n, granted: 0n, returned: 0n, final: true }
    const more = { ttlMs: 1000, opening: 0n, endsAt: undefined, warned: 0 }
    await limitStore.lease([{ ...rule, ...window, ...step, ...more, spent: 9n * 10n ** 9n }])
    await watch({ limits: { at: [90, 99] }, limitStore }).check()
    expect(told.map(({ message }) => message)).toEqual([
      `${words} spent $9 of the limit of $10 a month: 90 % is reached.`,
    ])
  })

  test('an hour that is unlike its like is told of, and that it is over', async () => {
    for (let day = 1; day <= 9; day++) await spend(day === 3 ? '90' : '10', NOON - day * DAY)
    const watching = watch({ anomalies: { atLeastUsd: 5 } })
    await spend('30', NOON)
    await watching.check()
    expect(said()).toEqual([])
    await spend('0.000000000001', NOON)
    await watching.check()
    expect(told).toMatchObject([
      {
        message: 'acme spent $30.000000000001 in the hour from 2026-11-18 12:00 UTC; $10 is usual at this hour.',
        details: { spent_usd: '30.000000000001', usual_usd: '10' },
      },
    ])
    expect(said()).toEqual(['firing anomaly:acme:2026-11-18T12:00:00.000Z'])
    at += HOUR
    await watching.check()
    expect(said()).toEqual([])
    at += HOUR
    await watching.check()
    expect(said()).toEqual(['resolved anomaly:acme:2026-11-18T12:00:00.000Z'])
  })

  test('a tenant of whom little is known is not judged, and neither is small money', async () => {
    await spend('1000', NOON, 'new')
    await spend('1', NOON - 2 * DAY, 'young')
    await spend('1000', NOON, 'young')
    for (let day = 1; day <= 9; day++) await spend('0.01', NOON - day * DAY, 'small')
    await spend('4.99', NOON, 'small')
    for (let day = 1; day <= 9; day++) await spend('1', NOON - day * DAY + 6 * HOUR, 'early')
    await spend('7', NOON, 'early')
    await watch({ anomalies: {} }).check()
    expect(said()).toEqual(['firing anomaly:early:2026-11-18T12:00:00.000Z'])
  })

  test('a model without a price is told of once, and when it has been gone for a day', async () => {
    await put(
      event({ at: NOON, model: 'new-model', inputTokens: 5 }),
      event({ at: NOON, costUsd: '1', inputTokens: 5 }),
    )
    const watching = watch({ unpriced: true })
    await watching.check()
    expect(told[0]).toMatchObject({ details: { model: 'new-model', unpriced: 1, calls: 1 } })
    await watching.check()
    expect(said()).toEqual(['firing unpriced:openai/new-model'])
    at += DAY + HOUR
    await watching.check()
    expect(said()).toEqual(['resolved unpriced:openai/new-model'])
  })

  test('dead letters are told of by place', async () => {
    let count = 2
    const watching = watch({ deadLetters: { count: async () => count, place: '/srv/a' } })
    const other = watch({ deadLetters: { count: async () => 0, place: '/srv/b' } })
    await watching.check()
    await other.check()
    count = 3
    await watching.check()
    expect(told).toMatchObject([
      { message: expect.stringMatching(/^2 events were refused for good, and wait in \/srv\/a/) },
    ])
    count = 0
    await watching.check()
    expect(said()).toEqual(['firing dead-letters:/srv/a', 'resolved dead-letters:/srv/a'])
  })

  test('a model whose usage contradicts itself is told of, and one slip is not', async () => {
    const calls = (model: string, count: number, usageFlags: string[]) =>
      Array.from({ length: count }, () => event({ at: NOON - HOUR, model, usageFlags }))
    await put(
      ...calls('drifted', 6, ['sum:total_tokens']),
      ...calls('drifted', 90, []),
      ...calls('fine', 4, ['unknown:x_tokens']),
    )
    await put(...calls('labelled', 9, ['manual:cost', 'tier:unconfirmed']))
    await watch({ drift: {} }).check()
    expect(told).toMatchObject([{ key: 'drift:openai/drifted', details: { flagged: 6, calls: 96 } }])
  })

  test('a bill that drifts is told of by its newest day, and that a newer one is fine', async () => {
    const watching = watch({ bills: true })
    await watching.check()
    expect(said()).toEqual([])
    const day = { logged: 10n * USD, causes: { 'not-logged': USD / 4n, 'price-book': -2n * USD } }
    await putDays(scene.place, { ...day, day: '2026-11-15', status: 'fail' }, { logged: USD, day: '2026-11-16' })
    await watching.check()
    expect(said()).toEqual([])
    await putDays(scene.place, { ...day, day: '2026-11-17', status: 'warn' })
    await watching.check()
    await putDays(scene.place, { ...day, source: 'anthropic', day: '2026-11-16', status: 'fail' })
    await watching.check()
    const message = 'for 2026-11-17 is $1.75 less than the ledger says, most of it price-book (-$2).'
    expect(told).toMatchObject([
      {
        severity: 'warning',
        message: `The bill of openai ${message}`,
        details: { day: '2026-11-17', billed_usd: '8.25', logged_usd: '10', difference_usd: '-1.75', cause_usd: '-2' },
      },
      { severity: 'critical', details: { source: 'anthropic' } },
    ])
    expect(said()).toEqual(['firing bill:openai:warn', 'firing bill:anthropic:fail'])
    await putDays(scene.place, { day: '2026-11-18', logged: USD, status: 'fail' })
    await watching.check()
    expect(told.map(({ message }) => message)).toContain(
      'The bill of openai for 2026-11-18 has the sum of the ledger, and drifts in volume or price.',
    )
    expect(said().sort()).toEqual(['firing bill:openai:fail', 'resolved bill:openai:warn'])
    await putDays(scene.place, { day: '2026-11-19', logged: USD }, { ...day, source: 'anthropic', day: '2026-11-16' })
    await watching.check()
    expect(said().sort()).toEqual(['resolved bill:anthropic:fail', 'resolved bill:openai:fail'])
  })

  test('what was told is not told again after a restart, nor by a second server', async () => {
    await put(event({ at: NOON, model: 'new-model', inputTokens: 5 }))
    await Promise.all([watch({ unpriced: true }).check(), watch({ unpriced: true }).check()])
    const first = watch({ unpriced: true })
    await first.check()
    await first.close()
    await watch({ unpriced: true }).check()
    expect(said()).toEqual(['firing unpriced:openai/new-model'])
  })

  test('who cannot be told is told later, again and again, and others at once', async () => {
    await put(event({ at: NOON, model: 'new-model', inputTokens: 5 }))
    let tries = 0
    const deaf = callback('deaf', () => {
      if (++tries < 3) throw new Error('a secret')
    })
    const watching = watch({ unpriced: true, to: [deaf, callback('other', (notice) => told.push(notice))] })
    expect(await watching.check()).toEqual({ firing: 1, told: 1, failed: 1 })
    expect(await watching.check()).toEqual({ firing: 1, told: 0, failed: 0 })
    at += 30_000
    expect(await watching.check()).toEqual({ firing: 1, told: 0, failed: 1 })
    at += 30_000
    expect((await watching.check()).failed + tries).toBe(2)
    at += 30_000
    expect(await watching.check()).toEqual({ firing: 1, told: 1, failed: 0 })
    expect(problems.map(({ message }) => message)).toEqual(['An alert could not be told to function:deaf.'])
    expect(said()).toEqual(['firing unpriced:openai/new-model'])
  })

  test('what is over before anybody was asked to hear of it is not told', async () => {
    let isSo = true
    const rule = {
      kind: 'own' as const,
      check: async () =>
        isSo ? [{ key: 'own:x', kind: 'own' as const, severity: 'warning' as const, message: 'It is so.' }] : [],
    }
    const deaf: AlertTarget = { name: 'deaf', tell: () => Promise.reject(new Error('no')) }
    const watching = watch({ to: [deaf], rules: [rule] })
    await watching.check()
    isSo = false
    // It was tried, and may have arrived: that it is over is told.
    expect(await watching.check()).toMatchObject({ failed: 1 })
    isSo = true
    const hearing = watch({ rules: [rule] })
    await hearing.check()
    isSo = false
    await hearing.check()
    isSo = true
    await hearing.check()
    expect(said()).toEqual(['firing own:x', 'resolved own:x', 'firing own:x'])
  })

  test('a rule that cannot look changes nothing, and the others go on', async () => {
    let isBroken = false
    const rule = {
      kind: 'own' as const,
      check: async () => {
        if (isBroken) throw new Error('no')
        return [{ key: 'own:x', kind: 'own' as const, severity: 'warning' as const, message: 'It is so.' }]
      },
    }
    const watching = watch({ rules: [rule], deadLetters: { count: async () => 1, place: '/a' } })
    await watching.check()
    isBroken = true
    expect(await watching.check()).toEqual({ firing: 1, told: 0, failed: 1 })
    expect(problems.map(({ message }) => message)).toEqual(['The alerts of kind own could not be looked for.'])
    expect(said().sort()).toEqual(['firing dead-letters:/a', 'firing own:x'])
  })
})

interface Posted {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Answers with these statuses, and then with 204. */
async function receiver(...statuses: number[]) {
  const posted: Posted[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      posted.push({ headers: request.headers, body })
      response.writeHead(statuses.shift() ?? 204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=t0ps3cret`, posted }
}

const NOTICE: Notice = {
  id: 'n1',
  status: 'firing',
  key: 'unpriced:a/b',
  kind: 'unpriced',
  severity: 'warning',
  message: 'a/<b> & c has no known price.',
  since: '2026-11-18T12:00:00.000Z',
  details: { calls: 3 },
}

describe('a webhook', () => {
  test('gets a notice as signed JSON, which its receiver can check', async () => {
    const { url, posted } = await receiver()
    const target = webhook({ url, secret: 's', headers: { 'x-team': 'ops' }, now: () => NOON })
    await target.tell(NOTICE, signal)
    await target.close?.()
    const [{ body, headers } = { body: '', headers: {} }] = posted
    expect(JSON.parse(body)).toEqual({ ...NOTICE, tenant_id: null, until: null })
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-team': 'ops', 'tallygate-notice': 'n1' })
    const signature = String(headers[SIGNATURE_HEADER])
    expect(signature).toMatch(/^t=1795003200,v1=[0-9a-f]{64}$/)
    const check = (text: string, sign: string | undefined, secret: string, now: number) =>
      verifyAlert(text, sign, secret, { now })
    expect(check(body, signature, 's', NOON + 299_000)).toBe(true)
    expect(check(body, signature, 's', NOON + 301_000)).toBe(false)
    expect(check(body, signature, 's', NOON - 301_000)).toBe(false)
    expect(check(`${body} `, signature, 's', NOON)).toBe(false)
    expect(check(body, signature, 'other', NOON)).toBe(false)
    expect(check(body, undefined, 's', NOON)).toBe(false)
    expect(check(body, signature.replace('t=1795003200', 't=1795003201'), 's', NOON)).toBe(false)
  })

  test('that fails says so, without its path or its secret', async () => {
    const { url } = await receiver(500)
    const target = webhook({ url, secret: 's' })
    await expect(target.tell(NOTICE, signal)).rejects.toThrow(/^The webhook at 127\.0\.0\.1:\d+ answered 500\.$/)
    await target.close?.()
    const nobody = webhook({ url: 'http://127.0.0.1:9/t0ps3cret' })
    await expect(nobody.tell(NOTICE, signal)).rejects.toThrow(
      /^The webhook at 127\.0\.0\.1:9 could not be reached \(E?[A-Z_]+\)\.$/,
    )
    await nobody.close?.()
    expect(target.name).toMatch(/^webhook:[0-9a-f]{16}$/)
  })

  test('of Slack gets its shape, with nothing in it that Slack would read as a sign', async () => {
    const { url, posted } = await receiver()
    const target = slack({ url })
    await target.tell(NOTICE, signal)
    await target.tell({ ...NOTICE, status: 'resolved' }, signal)
    await target.close?.()
    const [first, second] = posted.map(({ body }) => JSON.parse(body) as { text: string; blocks: unknown[] })
    expect(first).toEqual({
      text: '*Warning* a/&lt;b&gt; &amp; c has no known price.',
      blocks: [
        { type: 'section', text: { type: 'mrkdwn', text: '*Warning* a/&lt;b&gt; &amp; c has no known price.' } },
        {
          type: 'context',
          elements: [{ type: 'mrkdwn', text: 'tallygate, since 2026-11-18T12:00:00.000Z · calls: 3' }],
        },
      ],
    })
    expect(second?.text).toBe('*Over* a/&lt;b&gt; &amp; c has no known price.')
  })
})

describe('the file that says it', () => {
  test('becomes targets and rules, secrets from the environment', async () => {
    const { url, posted } = await receiver()
    const config = await alertConfigOf(
      {
        to: [{ webhook: 'env:HOOK', secret: 'env:SECRET' }, { slack: 'https://hooks.example/x' }],
        everySeconds: 30,
        limits: { at: [50] },
        drift: false,
      },
      { HOOK: url, SECRET: 's' },
    )
    expect(config).toMatchObject({ everyMs: 30_000, limits: { at: [50] }, drift: false, isDeadLetters: true })
    await config.to[0]!.tell(NOTICE, signal)
    await config.to[0]!.close?.()
    expect(verifyAlert(posted[0]!.body, String(posted[0]!.headers[SIGNATURE_HEADER]), 's')).toBe(true)
  })

  test.each([
    [{}, 'Expected `to` to be a list of targets, got nothing.'],
    [{ to: [] }, 'Expected `to` to be a list of at least one target, got a list of 0.'],
    [{ to: [{}] }, 'Expected `to.0` to have one of `webhook` and `slack`.'],
    [{ to: [{ webhook: 5 }] }, 'Expected `to.0.webhook` to be a string, got `5`.'],
    [{ to: [{ webhook: 'ftp://x' }] }, 'Expected `url` to be an http or https address, got "string".'],
    [
      { to: [{ webhook: 'env:NOT_SET' }] },
      '`to.0.webhook` is to be found in the environment, where NOT_SET is not set.',
    ],
    [
      { to: [{ slack: 'http://x', colour: 1 }] },
      'Expected `to.0` to be an object of webhook, slack, secret and headers only, got an object.',
    ],
    [
      { to: [{ slack: 'http://x' }], limit: {} },
      'Expected `config` to be an object of to, everySeconds, limits, anomalies, unpriced, deadLetters, drift and bills only, got an object.',
    ],
    [
      { to: [{ slack: 'http://x' }], limits: { at: [] } },
      'Expected `limits.at` to be a list of 1 to 20 shares in per cent, got a list of 0.',
    ],
    [{ to: [{ slack: 'http://x' }], everySeconds: 1 }, 'Expected `everySeconds` to be a number from 5, got `1`.'],
  ])('%j is refused in one sentence', async (config, sentence) => {
    await expect(alertConfigOf(config, {})).rejects.toThrow(sentence)
  })
})

describe('docs/alerts.md', () => {
  const page = readText('docs/alerts.md')

  test('shows a check of the signature that tells what is ours from what is not', async () => {
    const [, code = ''] = /^```ts verify\n([\s\S]*?)^```/m.exec(page) ?? []
    const plain = ts.transpileModule(code, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    })
    const file = join(folder(), 'verify.mjs')
    writeFileSync(file, plain.outputText)
    const { isFromTallygate: isOurs } = (await import(/* @vite-ignore */ file)) as {
      isFromTallygate: typeof verifyAlert
    }
    const { url, posted } = await receiver()
    const target = webhook({ url, secret: 's' })
    await target.tell(NOTICE, signal)
    await target.close?.()
    const [{ body, headers } = { body: '', headers: {} }] = posted
    const signature = String(headers[SIGNATURE_HEADER])
    expect(isOurs(body, signature, 's')).toBe(true)
    expect(isOurs(`${body} `, signature, 's')).toBe(false)
    expect(isOurs(body, signature, 't')).toBe(false)
    expect(isOurs(body, signature.replace(/t=\d+/, 't=1'), 's')).toBe(false)
  })

  test('shows a file that is one, with the defaults', async () => {
    const [, json = ''] = /^```json\n([\s\S]*?)^```/m.exec(page) ?? []
    const env = { ALERT_SECRET: 's', SLACK_WEBHOOK_URL: 'https://hooks.example/x' }
    expect(await alertConfigOf(JSON.parse(json), env)).toMatchObject({ everyMs: 60_000, limits: { at: [80, 100] } })
  })
})
