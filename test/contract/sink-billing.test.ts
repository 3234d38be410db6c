// Stripe, Lago and OpenMeter: each its own idea of a duplicate and of a partial failure, against servers that keep to it.

import { describe, expect, test } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { eventId, type LLMEvent } from '../../src/event.ts'
import { createProblems } from '../../src/problems.ts'
import { lagoSink } from '../../src/sinks/lago.ts'
import { openMeterSink } from '../../src/sinks/openmeter.ts'
import type { Batch, Sink } from '../../src/sinks/sink.ts'
import { stripeSink, stripeStreamSink } from '../../src/sinks/stripe.ts'
import { type BillingServer, lago, openMeter, stripe } from '../support/billing.ts'

const signal = new AbortController().signal
function event(over: Partial<LLMEvent> = {}): LLMEvent {
  const at = Date.now()
  return {
    eventId: eventId(at),
    timestamp: new Date(at).toISOString(),
    tenantId: 'cus_acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    inputTokens: 100,
    outputTokens: 25,
    totalTokens: 125,
    costUsd: '0.000000000001',
    costSource: 'priced',
    ...over,
  }
}
const batch = (...events: LLMEvent[]): Batch => ({ id: 'b', events })
const many = (count: number) => Array.from({ length: count }, () => event())

interface Bench {
  readonly sink: Sink
  /** As an application would make it that bills estimates at once. */
  readonly billing: () => Sink
  readonly server: BillingServer<unknown>
  /** The ids of the events that are counted, in the order of arrival. */
  readonly counted: () => string[]
  /** What is counted for each. */
  readonly values: () => unknown[]
}

const BENCHES: Record<string, () => Promise<Bench>> = {
  stripe: async () => {
    const server = await stripe()
    const make = (estimates?: 'bill') =>
      stripeSink({ apiKey: 'sk_test', url: server.url, meters: { tokens: 'tokens' }, estimates })
    return {
      sink: make(),
      billing: () => make('bill'),
      server,
      counted: () => server.stored.map(({ identifier }) => identifier.split(':')[0]!),
      values: () => server.stored.map(({ payload }) => payload['value']),
    }
  },
  'stripe-stream': async () => {
    const server = await stripe()
    const make = (estimates?: 'bill') =>
      stripeStreamSink({
        apiKey: 'sk_test',
        url: server.url,
        streamUrl: server.url,
        meters: { tokens: 'tokens' },
        estimates,
      })
    return {
      sink: make(),
      billing: () => make('bill'),
      server,
      counted: () => server.stored.map(({ identifier }) => identifier.split(':')[0]!),
      values: () => server.stored.map(({ payload }) => payload['value']),
    }
  },
  lago: async () => {
    const server = await lago()
    const make = (estimates?: 'bill') =>
      lagoSink({ apiKey: 'lago-key', url: server.url, meters: { tokens: 'tokens' }, estimates })
    return {
      sink: make(),
      billing: () => make('bill'),
      server,
      counted: () => server.stored.map(({ transaction_id }) => transaction_id.split(':')[0]!),
      values: () => server.stored.map(({ properties }) => properties['value']),
    }
  },
  openmeter: async () => {
    const server = await openMeter()
    const make = (estimates?: 'bill') => openMeterSink({ apiKey: 'om-key', url: server.url, estimates })
    return {
      sink: make(),
      billing: () => make('bill'),
      server,
      counted: () => server.stored.map(({ id }) => id),
      values: () => server.stored.map(({ data }) => String(data['total_tokens'])),
    }
  },
}

describe.each(Object.entries(BENCHES))('the %s sink', (name, make) => {
  test('delivers more than one request holds, each event once', async () => {
    const { sink, server, counted } = await make()
    await using _ = server
    const events = many(120)
    expect(await sink.send(batch(...events), signal)).toMatchObject({ outcome: 'delivered' })
    expect(counted().sort()).toEqual(events.map((one) => one.eventId).sort())
    expect(sink.name).toBe(name)
    await sink.close?.()
  })

  test('counts an event once that comes again, in the same batch, in another, and from another process', async () => {
    const { sink, server, counted } = await make()
    await using _ = server
    const [a, b, c] = many(3)
    const first = batch(a!, b!)
    await sink.send(first, signal)
    expect(await sink.send(first, signal)).toMatchObject({ outcome: 'delivered' })
    expect(await sink.send(batch(b!, c!, a!), signal)).toMatchObject({ outcome: 'delivered' })
    expect(counted()).toHaveLength(3)
    await sink.close?.()
  })

  test.each([
    [429, 'retry'],
    [503, 'retry'],
    [401, 'paused'],
    [403, 'paused'],
    [404, 'paused'],
    [302, 'paused'],
  ])('answers a %i with %s, in words of its own', async (status, outcome) => {
    const { sink, server, counted } = await make()
    await using _ = server
    const answer = () =>
      new Response('a secret', { status, headers: { 'retry-after': '7', location: 'http://127.0.0.1:9' } })
    // The stream opens another session where its own is refused, and is refused again.
    server.misbehave(answer, answer)
    const sent = batch(event())
    const delivery = await sink.send(sent, signal)
    expect(delivery.outcome).toBe(outcome)
    if ('error' in delivery) expect(delivery.error.message).not.toContain('secret')
    if (delivery.outcome === 'retry') expect(delivery.afterMs).toBe(7000)
    server.misbehave()
    for (let tries = 0; tries < 3; tries++) await sink.send(sent, signal)
    expect(counted()).toHaveLength(1)
    await sink.close?.()
  })

  test('tries again when nobody answers', async () => {
    const { sink, server } = await make()
    await server[Symbol.asyncDispose]()
    const delivery = await sink.send(batch(event()), signal)
    expect(delivery).toMatchObject({ outcome: 'retry' })
    expect('error' in delivery && delivery.error.message).toMatch(/^\w+ could not be reached \(\w+\)$/)
    await sink.close?.()
  })

  test('loses and doubles nothing when requests are stored and their answers lost', async () => {
    const { sink, server, counted } = await make()
    await using _ = server
    server.loseAnswers()
    const events = many(30)
    const sent = batch(...events)
    for (let tries = 0; tries < 60 && (await sink.send(sent, signal)).outcome !== 'delivered'; tries++);
    expect(counted().sort()).toEqual(events.map((one) => one.eventId).sort())
    await sink.close?.()
  })

  test('sets aside the event that it cannot bill, with its reason, and the others arrive', async () => {
    const { sink, server, counted } = await make()
    await using _ = server
    const nobody = event()
    delete (nobody as { tenantId?: string }).tenantId
    const bad = [nobody, event({ timestamp: 'yesterday' })]
    const good = many(4)
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [sink], problems, random: () => 0 })
    for (const one of [good[0]!, bad[0]!, good[1]!, bad[1]!, good[2]!, good[3]!]) delivery.add(one)
    await delivery.close()
    expect(delivery.stats()).toMatchObject({ delivered: 4, rejected: 2, queued: 0 })
    expect(counted().sort()).toEqual(good.map((one) => one.eventId).sort())
  })

  const REASON = 'it is an estimate of a job that was not over: what the provider reports of it is billed'
  const estimate = (over: Partial<LLMEvent> = {}) =>
    event({ usageSource: 'estimated', usageFlags: ['job:open'], totalTokens: 9000, ...over })

  test('holds back the estimate of a job that was not over, and bills what was reported of it, once', async () => {
    const { sink, server, values, counted } = await make()
    await using _ = server
    const open = estimate()
    const { eventId } = open
    expect(await sink.send(batch(open), signal)).toMatchObject({
      outcome: 'delivered',
      rejected: [{ eventId, reason: REASON }],
    })
    expect(counted()).toEqual([])
    const reported = event({ eventId, totalTokens: 125 })
    for (let times = 0; times < 2; times++)
      expect(await sink.send(batch(reported, event()), signal)).not.toHaveProperty('rejected')
    // A spool that is found late brings the estimate again.
    await sink.send(batch(open), signal)
    expect(counted().filter((id) => id === eventId)).toHaveLength(1)
    expect(new Set(values())).toEqual(new Set(['125']))
    await sink.close?.()
  })

  test('bills what was reported where a batch has the estimate too, whichever comes first', async () => {
    const { sink, server, values, counted } = await make()
    await using _ = server
    const [first, second] = [estimate(), estimate()]
    const told = ({ eventId }: LLMEvent) => event({ eventId, totalTokens: 125 })
    const delivery = await sink.send(batch(first, told(first), told(second), second, event()), signal)
    expect(delivery).toMatchObject({ outcome: 'delivered' })
    expect(delivery).not.toHaveProperty('rejected')
    expect([counted().length, new Set(values())]).toEqual([3, new Set(['125'])])
    await sink.close?.()
  })

  test('bills an estimate at once that is the last word, and with `estimates: bill` any other, for good', async () => {
    const { sink, billing, server, values, counted } = await make()
    await using _ = server
    await sink.send(batch(event({ usageSource: 'estimated', totalTokens: 7 })), signal)
    expect(values()).toEqual(['7'])
    await sink.close?.()
    const other = billing()
    const open = estimate()
    expect(await other.send(batch(open), signal)).not.toHaveProperty('rejected')
    expect(await other.send(batch(event({ eventId: open.eventId })), signal)).toMatchObject({ outcome: 'delivered' })
    expect([counted().length, values()]).toEqual([2, ['7', '9000']])
    await other.close?.()
  })

  test('takes an empty batch, and can be closed before and after', async () => {
    const { sink, server } = await make()
    await using _ = server
    await sink.close?.()
    expect(await sink.send(batch(), signal)).toMatchObject({ outcome: 'delivered' })
    await sink.close?.()
    expect(await sink.send(batch(event()), signal)).toMatchObject({ outcome: 'delivered' })
    await sink.close?.()
  })
})

describe('what is billed', () => {
  const PICO = '0.000000000001'

  test('is exact, to the last digit, and nothing for a call that used nothing', async () => {
    await using server = await lago()
    const sink = lagoSink({ apiKey: 'lago-key', url: server.url, meters: { cost: 'cost' } })
    await sink.send(
      batch(event({ costUsd: PICO }), event({ costUsd: '0' }), event({ costUsd: '9007199.254740993' })),
      signal,
    )
    expect(
      server.stored.map(({ properties, precise_total_amount_cents }) => [
        properties['value'],
        precise_total_amount_cents,
      ]),
    ).toEqual([
      [PICO, '0.0000000001'],
      ['9007199.254740993', '900719925.4740993'],
    ])
    await sink.close?.()
  })

  test('is one meter event for each meter, and a function of yours', async () => {
    await using server = await stripe()
    const sink = stripeSink({
      apiKey: 'sk_test',
      url: server.url,
      meters: {
        input: 'input-tokens',
        nano: 'nano-usd',
        resale: 'resale',
        own: ({ outputTokens = 0 }) => outputTokens / 10,
        none: () => undefined,
      },
      customer: () => 'cus_1',
      payload: ({ model }) => ({ model }),
    })
    const one = event({ resaleUsd: '0.25' })
    await sink.send(batch(one), signal)
    const values = Object.fromEntries(server.stored.map(({ event_name, payload }) => [event_name, payload]))
    expect(values).toEqual({
      input: { stripe_customer_id: 'cus_1', value: '100', model: 'gpt-4o' },
      nano: { stripe_customer_id: 'cus_1', value: '1', model: 'gpt-4o' },
      resale: { stripe_customer_id: 'cus_1', value: '0.25', model: 'gpt-4o' },
      own: { stripe_customer_id: 'cus_1', value: '2.5', model: 'gpt-4o' },
    })
    expect(server.stored[0]!.identifier).toBe(`${one.eventId}:input`)
    await sink.close?.()
  })

  test('is nothing without a price: it is set aside until there is one', async () => {
    await using server = await lago()
    const sink = lagoSink({ apiKey: 'lago-key', url: server.url, meters: { cost: 'cost', own: () => Number.NaN } })
    const { costUsd: _, ...unpriced } = event({ costSource: 'unpriced' })
    const delivery = await sink.send(batch(unpriced, event()), signal)
    expect(delivery.outcome === 'delivered' && delivery.rejected).toEqual([
      { eventId: unpriced.eventId, reason: 'it has no known price' },
      { eventId: expect.any(String), reason: 'what is billed for it is no number of 0 or more' },
    ])
    await sink.close?.()
  })

  test('has an identifier that fits, however long the id of the event is', async () => {
    await using server = await stripe()
    const sink = stripeSink({ apiKey: 'sk_test', url: server.url, meters: { tokens: 'tokens' } })
    const long = event({ eventId: 'x'.repeat(200) })
    await sink.send(batch(long), signal)
    await sink.send(batch(long), signal)
    expect(server.stored.map(({ identifier }) => identifier.length)).toEqual([64])
    await sink.close?.()
  })

  test.each([
    [
      () => stripeSink({ apiKey: 'k', meters: {} }),
      "Expected `meters` to be an object such as `{ llm_cost: 'cost' }`, got an object.",
    ],
    [
      () => lagoSink({ apiKey: 'k', meters: { a: 'price' as never } }),
      'Expected `meters.a` to be a function or one of cost,',
    ],
    [
      () => stripeSink({ apiKey: 'a\nb', meters: { a: 'cost' } }),
      'Expected `apiKey` to be a string of visible ASCII characters.',
    ],
    [
      () => stripeSink({ apiKey: 'k', meters: { a: 'cost' }, estimates: 'cancel' as never }),
      "Expected `estimates` to be 'hold' or 'bill', got \"cancel\".",
    ],
    [() => openMeterSink({ url: 'ftp://x' }), 'Expected `url` to be an http or https address, got "ftp://x".'],
  ])('options that cannot be are refused: %#', (make, message) => {
    expect(make).toThrow(message)
  })
})

describe('Stripe', () => {
  test('refuses single events, with its code and never its words', async () => {
    await using server = await stripe()
    const sink = stripeSink({ apiKey: 'sk_test', url: server.url, meters: { tokens: 'tokens' } })
    const old = event({ timestamp: new Date(Date.now() - 40 * 86_400_000).toISOString() })
    const unknown = event({ tenantId: 'acme' })
    expect(await sink.send(batch(event(), old, unknown, event()), signal)).toEqual({
      outcome: 'delivered',
      duplicates: 0,
      rejected: expect.arrayContaining([
        { eventId: old.eventId, reason: 'Stripe answered 400 timestamp_too_far_in_past' },
        { eventId: unknown.eventId, reason: 'Stripe answered 400 resource_missing' },
      ]),
    })
    expect(server.stored).toHaveLength(2)
    await sink.close?.()
  })

  test('answers a duplicate with an error, which is taken for a success', async () => {
    await using server = await stripe()
    const one = event()
    for (const duplicates of [0, 1]) {
      const sink = stripeSink({ apiKey: 'sk_test', url: server.url, meters: { tokens: 'tokens' } })
      expect(await sink.send(batch(one), signal)).toEqual({ outcome: 'delivered', duplicates })
      await sink.close?.()
    }
    server.misbehave(() => Response.json({ error: { code: 'duplicate_meter_event' } }, { status: 400 }))
    const sink = stripeSink({ apiKey: 'sk_test', url: server.url, meters: { tokens: 'tokens' } })
    expect(await sink.send(batch(event()), signal)).toEqual({ outcome: 'delivered', duplicates: 1 })
    await sink.close?.()
  })

  test('ends a session of the stream when it likes, and another is opened', async () => {
    await using server = await stripe()
    const sink = stripeStreamSink({
      apiKey: 'sk_test',
      url: server.url,
      streamUrl: server.url,
      meters: { tokens: 'tokens' },
    })
    await sink.send(batch(event()), signal)
    server.expireSessions()
    expect(await sink.send(batch(...many(2)), signal)).toMatchObject({ outcome: 'delivered' })
    expect(server.stored).toHaveLength(3)
    expect(server.requests.map(({ path }) => path.split('/').at(-1))).toEqual([
      'meter_event_session',
      'meter_event_stream',
      'meter_event_stream',
      'meter_event_session',
      'meter_event_stream',
    ])
    await sink.close?.()
  })

  test('refuses a whole request of the stream for one event, which delivery finds', async () => {
    await using server = await stripe()
    const sink = stripeStreamSink({
      apiKey: 'sk_test',
      url: server.url,
      streamUrl: server.url,
      meters: { tokens: 'tokens' },
    })
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [sink], problems, random: () => 0 })
    for (const one of [...many(5), event({ tenantId: 'acme' }), ...many(5)]) delivery.add(one)
    await delivery.close()
    expect(delivery.stats()).toMatchObject({ delivered: 10, rejected: 1, queued: 0 })
    expect(server.stored).toHaveLength(10)
  })
})

describe('Lago', () => {
  test('refuses a whole batch for one that is there, and for one that is wrong: the others are sent again', async () => {
    await using server = await lago()
    const sink = lagoSink({ apiKey: 'lago-key', url: server.url, meters: { cost: 'cost' } })
    const known = event()
    await sink.send(batch(known), signal)
    const lost = event({ tenantId: 'none' })
    expect(await sink.send(batch(event(), known, lost, event()), signal)).toEqual({
      outcome: 'delivered',
      duplicates: 1,
      rejected: [{ eventId: lost.eventId, reason: 'Lago: external_subscription_id subscription_not_found' }],
    })
    expect(server.stored).toHaveLength(3)
    expect(server.requests).toHaveLength(3)
    await sink.close?.()
  })

  test.each([
    ['nothing', () => new Response(null, { status: 422 })],
    ['a page', () => new Response('<html>', { status: 422 })],
    ['details of another kind', () => Response.json({ error_details: { '999': {}, a: 1 } }, { status: 422 })],
  ])('may refuse with %s: then halves are tried', async (_, answer) => {
    await using server = await lago()
    const sink = lagoSink({ apiKey: 'lago-key', url: server.url, meters: { cost: 'cost' } })
    server.misbehave(answer, answer)
    expect((await sink.send(batch(...many(2)), signal)).outcome).toBe('rejected')
    expect(await sink.send(batch(event()), signal)).toMatchObject({ rejected: [{ reason: 'Lago answered 422' }] })
    await sink.close?.()
  })
})

describe('OpenMeter', () => {
  test('gets the content type to the letter, and money as text', async () => {
    await using server = await openMeter()
    const sink = openMeterSink({ apiKey: 'om-key', url: server.url })
    const one = event()
    await sink.send(batch(one), signal)
    expect(server.requests[0]!.headers.get('content-type')).toBe('application/cloudevents-batch+json')
    expect(server.stored).toEqual([
      {
        specversion: '1.0',
        id: one.eventId,
        source: 'tallygate',
        type: 'tallygate.call',
        subject: 'cus_acme',
        time: one.timestamp,
        data: {
          provider: 'openai',
          model: 'gpt-4o',
          input_tokens: 100,
          output_tokens: 25,
          total_tokens: 125,
          cost_usd: '0.000000000001',
          calls: 1,
        },
      },
    ])
    await sink.close?.()
  })

  test('keeps the events before the one that failed: only the others are sent again', async () => {
    await using server = await openMeter()
    const sink = openMeterSink({ apiKey: 'om-key', url: server.url })
    const sent = batch(...many(5))
    server.misbehave(() => new Response(null, { status: 500 }))
    expect((await sink.send(sent, signal)).outcome).toBe('retry')
    server.failAt(3)
    expect((await sink.send(sent, signal)).outcome).toBe('retry')
    expect(server.stored).toHaveLength(3)
    await sink.send(sent, signal)
    expect(server.stored).toHaveLength(4)
    const resent = JSON.parse(server.requests.filter(({ text }) => text !== '').at(-1)!.text) as unknown[]
    expect(resent).toHaveLength(2)
    await sink.close?.()
  })

  test('may take an id without its event: what is nowhere to be seen is set aside and said', async () => {
    await using server = await openMeter()
    const sink = openMeterSink({ apiKey: 'om-key', url: server.url })
    const events = many(3)
    const sent = batch(...events)
    server.failAt(1)
    const outcomes: string[] = []
    let last = await sink.send(sent, signal)
    while (last.outcome !== 'delivered') {
      outcomes.push(last.outcome)
      last = await sink.send(sent, signal)
    }
    expect(outcomes).toEqual(Array(6).fill('retry'))
    expect(last.rejected).toEqual([
      {
        eventId: events[1]!.eventId,
        reason:
          'OpenMeter accepted it after a failed request, and does not have it: its id may be taken without its event',
      },
    ])
    expect(server.stored.map(({ id }) => id)).toEqual([events[0]!.eventId, events[2]!.eventId])
    await sink.close?.()
  })
})
