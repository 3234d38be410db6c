// Leases over HTTP when the server is away, slow or somebody else, and how a client finds out whether there are any.

import { describe, expect, test } from 'vitest'
import { backendLimitStore } from '../../src/limits/backend-store.ts'
import { eitherLimitStore } from '../../src/limits/http-choice.ts'
import { createLeasesClient } from '../../src/limits/http-client.ts'
import { httpLimitStore } from '../../src/limits/http-store.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import { type Cable, cable, type Fault } from '../support/cable.ts'
import { API_KEY, ingest } from '../support/ingest.ts'
import { clocks, type Process, process, usd } from '../support/limits.ts'

const refused = { code: 'LIMIT_EXCEEDED' }
const down = { code: 'LIMIT_STORE_DOWN' }

async function served(kind: 'leases' | 'plain' = 'leases') {
  const server = await ingest({ leases: kind === 'leases' })
  const wire = await cable(server.base)
  return {
    server,
    wire,
    store: () => httpLimitStore({ url: wire.url, apiKey: API_KEY }),
    async [Symbol.asyncDispose]() {
      await wire[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Time itself decides what is a window here: the server goes by it. */
const here = (store: LimitStore, over: Parameters<typeof process>[2] = {}) => {
  const causes: unknown[] = []
  const clock = { ...clocks(), now: Date.now() }
  const one = process(store, clock, {
    timeoutMs: 500,
    onStore: (state, cause) => {
      one.states.push(state)
      if (state === 'down') causes.push(cause)
    },
    ...over,
  })
  return { ...one, causes, clock, close: () => one.limiter.close().then(() => store.close?.()) }
}

const settle = async ({ limiter, call }: Process, estimate: string, cost = estimate) =>
  limiter.settle(await call(estimate), usd(cost), Date.now())

const FAULTS: [Fault, RegExp][] = [
  ['closed', /^The limit store at http:\/\/127\.0\.0\.1:\d+ could not be reached \(ECONNREFUSED\)\.$/],
  ['resets', /could not be reached \(UND_ERR_SOCKET\)\.$/],
  ['hangs', /^The limit store did not answer within 500 ms\.$/],
  [401, /answered with status 401: the API key was refused\.$/],
  [404, /answered with status 404\.$/],
  [429, /answered with status 429\.$/],
  [500, /answered with status 500\.$/],
  ['html', /answered with something that is no answer of a limit store\.$/],
  ['json', /answered with something that is no answer of a limit store\.$/],
]

describe.each(FAULTS)('a server that is %s', (fault, sentence) => {
  test('is not missed by a call whose money is in the slice, and no other waits for it twice', async () => {
    await using table = await served()
    const app = here(table.store())
    await app.limit('acme', { usd: 20, mode: 'hard' })
    await settle(app, '1')
    await table.wire.be(fault)
    const asked = table.wire.lines.length
    // Three dollars of the first slice are left, and are taken without a question.
    const pockets = app.limiter.pockets({ tenantId: 'acme' }, Date.now())
    expect(pockets).not.toBeInstanceOf(Promise)
    const whole = { expected: usd('3'), ceiling: usd('3') }
    const hold = app.limiter.reserve(pockets as never, whole, { tenantId: 'acme' })
    expect(hold).not.toBeInstanceOf(Promise)
    app.limiter.settle(hold as never, usd('3'), Date.now())
    await expect(app.call('5')).rejects.toMatchObject(down)
    expect(app.states).toEqual(['down'])
    expect((app.causes[0] as Error).message).toMatch(sentence)
    const askedThen = table.wire.lines.length
    await expect(app.call('5')).rejects.toMatchObject(down)
    expect(table.wire.lines.length).toBe(askedThen)
    expect(askedThen - asked).toBeLessThanOrEqual(4)

    await table.wire.be('up')
    await app.limiter.beat()
    expect(app.states).toEqual(['down', 'up'])
    await settle(app, '5')
    expect(await app.standing()).toBe('11 left, 9 spent, 0 held')
    await app.close()
    expect(await table.server.limitStore!.accounts([key()])).toMatchObject([
      { committed: 9_000_000_000n, escrow: 0n, suspense: 0n },
    ])
  })
})

const key = () => ({
  scope: 'tenant=acme',
  per: 'month' as const,
  windowId: new Date().toISOString().slice(0, 7),
  earlier: [],
})

test.each([
  ['lease-then-deny', 'expected', ['ok', 'down', 'down']],
  ['lease-then-allow', 'hard', ['ok', 'ok', 'ok']],
  ['deny', 'expected', ['down', 'down', 'down']],
  ['allow', 'hard', ['ok', 'ok', 'ok']],
  ['overdraft', 'hard', ['ok', 'ok', 'down']],
  [undefined, 'hard', ['ok', 'down', 'down']],
  [undefined, 'expected', ['ok', 'ok', 'ok']],
] as const)('while it is away, %j of a limit that is %s says who goes on', async (whenDown, mode, outcomes) => {
  await using table = await served()
  const app = here(table.store(), { whenDown: whenDown === 'overdraft' ? { overdraft: usd('5') } : whenDown })
  await app.limit('acme', { usd: 20, mode })
  await settle(app, '1')
  await table.wire.be('closed')
  await app.limiter.beat()
  expect(app.states).toEqual(['down'])
  const outcome = async (estimate: string) => {
    try {
      await settle(app, estimate)
      return 'ok'
    } catch (error) {
      return (error as { code: string }).code === 'LIMIT_STORE_DOWN' ? 'down' : 'refused'
    }
  }
  // Three dollars are in the slice.
  expect([await outcome('3'), await outcome('4'), await outcome('4')]).toEqual(outcomes)
  const spent = 1 + 3 * Number(outcomes[0] === 'ok') + 4 * outcomes.slice(1).filter((one) => one === 'ok').length
  await table.wire.be('up')
  await app.limiter.beat()
  await app.close()
  // What was spent meanwhile is told, to the cent.
  expect(await table.server.limitStore!.accounts([key()])).toMatchObject([
    { committed: BigInt(spent) * 1_000_000_000n },
  ])
})

test('an answer that is lost on its way grants once, and settles once', async () => {
  await using table = await served()
  const app = here(table.store())
  await app.limit('acme', { usd: 10, mode: 'hard' })
  await settle(app, '1')
  await table.wire.be('loses')
  await expect(app.call('6')).rejects.toMatchObject(down)
  // It was granted all the same.
  const [granted] = await table.server.limitStore!.accounts([key()])
  expect(granted!.escrow).toBeGreaterThanOrEqual(6_000_000_000n)
  await app.limiter.beat()
  await table.wire.be('up')
  await app.limiter.beat()
  await settle(app, '6')
  await expect(app.call('4')).rejects.toMatchObject(refused)
  const hold = await app.call('3')
  await table.wire.be('loses')
  app.limiter.settle(hold, usd('3'), Date.now())
  await app.limiter.beat()
  await table.wire.be('up')
  await app.limiter.beat()
  await app.close()
  expect(await table.server.limitStore!.accounts([key()])).toMatchObject([{ committed: 10_000_000_000n, escrow: 0n }])
})

test('a connection that was closed in the moment in which it was used is no outage', async () => {
  await using table = await served()
  const app = here(table.store())
  await app.limit('acme', { usd: 10, mode: 'hard' })
  await settle(app, '1')
  for (let time = 0; time < 5; time++) {
    // Nothing is under way.
    await app.standing()
    // A server that starts again: what is open is gone, and the port is the same.
    await table.wire.be('closed')
    await table.wire.be('up')
    await app.limiter.beat()
    await settle(app, '1')
  }
  expect(app.states).toEqual([])
  expect(await app.standing()).toBe('4 left, 6 spent, 0 held')
  await app.close()
})

test('a limit that is set, lowered or removed elsewhere holds with the next heartbeat, and here at once', async () => {
  await using table = await served()
  const [one, two] = [here(table.store()), here(table.store())]
  expect((await two.call('5')).parts).toEqual([])
  await one.limit('acme', { usd: 10, mode: 'hard' })
  await expect(one.call('11')).rejects.toMatchObject(refused)
  await two.limiter.beat()
  await expect(two.call('11')).rejects.toMatchObject(refused)
  // By somebody who knows nothing of leases.
  const headers = { authorization: `Bearer ${API_KEY}` }
  const init = { method: 'PUT', headers, body: JSON.stringify({ usd: 2, mode: 'hard' }) }
  await fetch(`${table.server.base}/v1/limits/acme`, init)
  await two.limiter.beat()
  await expect(two.call('3')).rejects.toMatchObject({ ...refused, limitUsd: '2' })
  await one.limiter.removeLimit({ scope: 'tenant=acme', per: 'month' })
  await two.limiter.beat()
  expect((await two.call('50')).parts).toEqual([])
  await one.close()
  await two.close()
})

test.each([undefined, '', 'localhost:8787', 'ftp://127.0.0.1', 7])('an address such as %j is refused', (url) => {
  expect(() => httpLimitStore({ url: url as string })).toThrow('Expected `url` to be an http or https address')
})

test('a key that no header holds is refused without a word of it', () => {
  expect(() => httpLimitStore({ url: 'http://127.0.0.1:1', apiKey: 'two words' })).toThrow(
    'Expected `apiKey` to be a string of visible ASCII characters.',
  )
})

describe('an address of which nothing is known', () => {
  async function unknown(kind: 'leases' | 'plain', fault: Fault = 'up') {
    const table = await served(kind)
    await table.wire.be(fault, '/v1/leases')
    const failures: Error[] = []
    const unsynced = createUnsynced()
    const clock = clocks()
    const options = { baseUrl: table.wire.url, apiKey: API_KEY }
    const plain = backendLimitStore({ ...options, ttlMs: 0, unsynced, onFailure: (error) => failures.push(error) })
    const store = eitherLimitStore({ client: createLeasesClient(options), plain, monotonic: () => clock.monotonic })
    const app = here(store, { unsynced, timeoutMs: 2000 })
    return { ...table, app, failures, pause: (ms: number) => void (clock.monotonic += ms), wire: table.wire }
  }

  const counted = ({ lines }: Cable) => {
    const counts: Record<string, number> = {}
    for (const line of lines) counts[line] = (counts[line] ?? 0) + 1
    return counts
  }

  test('is asked once where it speaks leases, and never as if it were plain', async () => {
    await using table = await unknown('leases')
    const { app } = table
    await Promise.all([app.call('1'), app.call('1', { tenantId: 'globex' })])
    expect(counted(table.wire)).toEqual({ 'GET /v1/leases': 1 })
    await app.limit('acme', { usd: 3, mode: 'hard' })
    await app.call('2')
    await expect(app.call('2')).rejects.toMatchObject(refused)
    expect(Object.keys(counted(table.wire))).toEqual(['GET /v1/leases', 'POST /v1/leases'])
    await app.close()
  })

  test.each(['plain', 404, 405, 501, 'html', 'json'] as const)(
    'is plain for good where it answers as %j',
    async (kind) => {
      await using table = await unknown('plain', kind === 'plain' ? 'up' : kind)
      const { app } = table
      await app.call('1')
      await table.wire.be('up')
      await app.limit('acme', { usd: 3, mode: 'hard' })
      await app.call('2')
      await expect(app.call('2')).rejects.toMatchObject(refused)
      table.pause(1e6)
      await app.call('0.5')
      expect(counted(table.wire)).toMatchObject({ 'GET /v1/leases': 1, 'PUT /v1/limits/acme': 1 })
      await app.close()
    },
  )

  test('a limit that is set before anything is known is stored by whichever way there is, and holds from the next call on', async () => {
    for (const kind of ['plain', 'leases'] as const) {
      await using table = await unknown(kind)
      const { app } = table
      const stored = app.limit('acme', { usd: 3, mode: 'hard' })
      await expect(app.call('4')).rejects.toMatchObject(refused)
      await stored
      expect(await table.server.ledger.limits()).toMatchObject([{ tenantId: 'acme', limit: 3_000_000_000_000n }])
      await app.close()
    }
  })

  test.each(['closed', 'resets', 401, 403, 429, 500, 503] as const)(
    'that is %s at first goes on as if it were plain, and has leases as soon as it answers',
    async (fault) => {
      await using table = await unknown('leases', fault)
      const { app } = table
      // There is no limit yet, and nobody waits.
      const early = await app.call('5')
      await table.server.limitStore!.setLimit({
        scope: 'tenant=acme',
        per: 'month',
        limitNanoUsd: 3_000_000_000n,
        mode: 'hard',
        settings: {},
      })
      await table.wire.be('up')
      table.pause(1000)
      await expect
        .poll(() =>
          app.call('4').then(
            () => 'ok',
            (error: { code: string }) => error.code,
          ),
        )
        .toBe('LIMIT_EXCEEDED')
      await expect
        .poll(async () => {
          table.pause(1e5)
          await app.call('2').then((hold) => app.limiter.settle(hold, 0n, Date.now()))
          return (await table.server.limitStore!.accounts([key()]))[0]?.escrow
        })
        .toBeGreaterThanOrEqual(2_000_000_000n)
      app.limiter.settle(early, usd('5'), Date.now())
      // Its event is on its way: that call was never held by a lease.
      await app.limiter.beat()
      await app.close()
      expect(await table.server.limitStore!.accounts([key()])).toMatchObject([{ escrow: 0n }])
    },
  )

  test('a plain backend’s money is not told to a server that turns out to have leases', async () => {
    await using table = await unknown('plain')
    const { app } = table
    await table.server.ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 10_000_000_000_000n, mode: 'hard' })
    await using later = await ingest({ leases: true })
    await later.ledger.putLimit({ tenantId: 'acme', window: 'month', limit: 10_000_000_000_000n, mode: 'hard' })
    // The leases answer 503 at first, the limits do not.
    await using front = await cable(table.server.base)
    const failures: Error[] = []
    const unsynced = createUnsynced()
    const options = { baseUrl: front.url, apiKey: API_KEY }
    const client = createLeasesClient(options)
    let isBusy = true
    const shy = {
      ...client,
      greet: async () => (isBusy ? { status: 503, body: undefined } : client.greet()),
    }
    const plain = backendLimitStore({ ...options, ttlMs: 0, unsynced, onFailure: (error) => failures.push(error) })
    let monotonic = 0
    const shifting = here(eitherLimitStore({ client: shy, plain, monotonic: () => monotonic }), {
      unsynced,
      timeoutMs: 2000,
    })
    await settle(shifting, '2')
    const open = await shifting.call('1')
    isBusy = false
    front.plug(later.base)
    monotonic = 1e6
    await expect
      .poll(async () => {
        await settle(shifting, '0.5', '0')
        // What it has of the plain one is looked at when its lease is renewed.
        shifting.clock.monotonic += 15_000
        await shifting.limiter.beat()
        return (await later.limitStore!.accounts([key()]))[0]?.escrow ?? 0n
      })
      .toBeGreaterThan(0n)
    shifting.limiter.settle(open, usd('1'), Date.now())
    await shifting.close()
    // The 2 were spent before: their event tells of them. The call that was under way is settled in full.
    expect(await later.limitStore!.accounts([key()])).toMatchObject([{ committed: 1_000_000_000n, escrow: 0n }])
    expect(failures).toEqual([])
    await app.close()
  })
})
