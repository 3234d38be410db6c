import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENT_FIELDS, fromWire, toWire, WIRE_NAMES } from '../../src/event.ts'
import { deliveryOf } from '../../src/sinks/http-answer.ts'
import { checkWireBatch, checkWireEvent, explainWireBatch, explainWireEvent, wireEventSchema } from '../../src/wire.ts'
import { FIELD_KINDS, MAX_TEXT_LENGTH, REQUIRED_FIELDS } from '../../src/wire-fields.ts'
import { API_KEY, ingest } from '../support/ingest.ts'

type Wire = Record<string, unknown>
interface Golden {
  schema_version: number
  exchanges: {
    name: string
    from_sink: boolean
    request: { schema_version: number; batch_id: string; events: Wire[] }
    answer: { accepted: number; duplicates: number; rejected: { event_id: string; reason: string }[] }
  }[]
}
const GOLDEN = JSON.parse(readFileSync(new URL('../fixtures/wire/v1.json', import.meta.url), 'utf8')) as Golden
const FULL = GOLDEN.exchanges[0]!.request.events[0]!
const MINIMAL = GOLDEN.exchanges[0]!.request.events[1]!

describe('the golden file of version 1', () => {
  test('has every field of the event once', () => {
    expect(Object.keys(FULL)).toEqual(['schema_version', ...EVENT_FIELDS.map((field) => WIRE_NAMES[field])])
  })

  test.each(GOLDEN.exchanges)('the server answers $name as it says', async ({ request, answer }) => {
    await using server = await ingest()
    // Each exchange presumes those before it.
    for (const earlier of GOLDEN.exchanges) {
      if (earlier.request === request) break
      await post(server.url, earlier.request)
    }
    const response = await post(server.url, request)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual(answer)
  })

  test('the server keeps every field of it', async () => {
    await using server = await ingest()
    const { events } = GOLDEN.exchanges[0]!.request
    await post(server.url, GOLDEN.exchanges[0]!.request)
    const kept = (await server.ledger.events()).reverse().map(toWire)
    expect(kept).toEqual(events)
    expect(kept.map((event) => JSON.stringify(event))).toEqual(events.map((event) => JSON.stringify(event)))
  })

  test.each(GOLDEN.exchanges.filter((exchange) => exchange.from_sink))(
    'the HTTP sink sends $name as it stands',
    async ({ request }) => {
      await using server = await ingest()
      const sink = server.sink()
      const delivery = await sink.send(
        { id: request.batch_id, events: request.events.map(fromWire) },
        new AbortController().signal,
      )
      await sink.close?.()
      expect(delivery.outcome).toBe('delivered')
      const { headers, text, method, path } = server.received[0]!
      expect([method, path]).toEqual(['POST', '/v1/ingest'])
      expect(JSON.parse(text)).toEqual(request)
      expect(text).toBe(JSON.stringify(request))
      expect(headers.get('authorization')).toBe(`Bearer ${API_KEY}`)
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('content-encoding')).toBe('gzip')
      expect(headers.get('idempotency-key')).toBe(request.batch_id)
    },
  )
})

describe('docs/wire.md', () => {
  const page = readFileSync(new URL('../../docs/wire.md', import.meta.url), 'utf8')
  test('lists exactly the fields of an event, in their order', () => {
    const table = page.slice(page.indexOf('## Fields'), page.indexOf('## Answers'))
    const listed = [...table.matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) => name)
    expect(listed).toEqual(['schema_version', ...EVENT_FIELDS.map((field) => WIRE_NAMES[field])])
  })

  test('marks exactly the required ones', () => {
    const required = [...page.matchAll(/^\| `([a-z_]+)` \(required\)/gm)].map(([, name]) => name)
    expect(required).toEqual(REQUIRED_FIELDS.map((field) => WIRE_NAMES[field]))
  })

  test.each([200, 302, 408, 409, 413, 400, 422, 401, 403, 404, 410, 415, 429, 503])(
    'says what %i means as the sink takes it',
    (status) => {
      const row = page.split('\n').find((line) => line.startsWith('|') && names(status, line.split('|')[1]!))
      expect(row).toBeDefined()
      const words = { retry: 'again', 'too-large': 'halves', rejected: 'halves', paused: 'pauses', delivered: 'done' }
      expect(row).toContain(words[deliveryOf(status, undefined, undefined, '').outcome])
    },
  )
})

/** Values of which about every second is right for some field. */
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    ...Object.values(FULL),
    null,
    -1,
    0,
    -0,
    1.5,
    2 ** 53,
    1e300,
    '',
    'x\u0000',
    'x'.repeat(256),
    'x'.repeat(257),
    'x'.repeat(MAX_TEXT_LENGTH),
    'x'.repeat(MAX_TEXT_LENGTH + 1),
    '9223372.036854775807',
    '9223372.036854775808',
    '9999999',
    '99999999',
    '0.0000000000001',
    '1e-3',
    '-1',
    '.5',
    '2026-13-45T99:00:00Z',
    '2026-11-22',
    '2026-11-22T10:00:00+02:00',
    '2026-11-22T10:00:00.123456789Z',
    'reported',
    'priced',
    { input_tokens: [2, 1], output_tokens: [0, 0] },
    { input_tokens: [1, 1, 1], output_tokens: [0, 0] },
    { input_tokens: [0, 1], output_tokens: [0, 0], more: 1 },
    [{ billable: 'maybe' }],
    [{ billable: 'no', status: 1000 }],
    [{ billable: 'no', status: null }],
    [{ bucket: 'a', quantity: -1, cost_usd: '0', rate: 'r' }],
    Array.from({ length: 257 }, () => 'x'),
    JSON.parse('{"__proto__": {"a": 1}}'),
    JSON.parse('{"__proto__": "x", "constructor": 2}'),
    Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`n${i}`, i])),
    { ['n'.repeat(MAX_TEXT_LENGTH + 1)]: 1 },
  ),
)

const anyEvent = fc
  .tuple(
    fc.constantFrom(FULL, MINIMAL),
    fc.array(
      fc.tuple(fc.constantFrom('schema_version', 'unknown', '__proto__', ...Object.values(WIRE_NAMES)), anyValue),
      { maxLength: 3 },
    ),
    fc.subarray([...REQUIRED_FIELDS], { maxLength: 1 }),
  )
  .map(([base, changes, missing]) => {
    const event = JSON.parse(JSON.stringify(base)) as Wire
    for (const [name, value] of changes)
      Object.defineProperty(event, name, { value, enumerable: true, configurable: true, writable: true })
    for (const field of missing) delete event[WIRE_NAMES[field]]
    return event
  })

describe('the check and the explanation', () => {
  test('agree on every event', async () => {
    let right = 0
    let wrong = 0
    await fc.assert(
      fc.asyncProperty(anyEvent, async (event) => {
        const isRight = checkWireEvent(event)
        isRight ? right++ : wrong++
        const explanation = await explainWireEvent(event)
        expect(explanation === undefined).toBe(isRight)
      }),
      { numRuns: 3000 },
    )
    expect(right).toBeGreaterThan(300)
    expect(wrong).toBeGreaterThan(300)
  })

  test('agree on every field with every value', async () => {
    const values = fc.sample(anyValue, { numRuns: 150, seed: 7 })
    for (const name of Object.values(WIRE_NAMES))
      for (const value of values) {
        const event = { ...MINIMAL, [name]: value }
        expect([name, value, checkWireEvent(event)]).toEqual([
          name,
          value,
          (await explainWireEvent(event)) === undefined,
        ])
      }
  })

  test('agree on whatever is no event', async () => {
    for (const value of [undefined, null, 1, 'x', true, [], [MINIMAL], {}, () => {}, Number.NaN]) {
      expect(checkWireEvent(value)).toBe(false)
      expect(await explainWireEvent(value)).toMatch(/^Expected `\w+` to be .+, got .+\.$/)
    }
  })

  test('agree on batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.jsonValue(),
          fc.record({ schema_version: anyValue, batch_id: anyValue, events: fc.oneof(anyValue, fc.constant([])) }),
          fc.constant({ schema_version: 1, batch_id: 'b', events: [1] }),
        ),
        async (body) => {
          expect((await explainWireBatch(body)) === undefined).toBe(checkWireBatch(body))
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('never quote the text of a value', async () => {
    const secret = 'the-secret-prompt'
    for (const [field, name] of Object.entries(WIRE_NAMES)) {
      for (const value of [
        secret,
        secret.repeat(100),
        [secret],
        { [secret]: secret },
        { a: { b: secret } },
        [{ billable: secret }],
      ]) {
        const explanation = (await explainWireEvent({ ...MINIMAL, [name]: value })) ?? ''
        const where = explanation.split('` to be ')[1] ?? ''
        expect([field, where.includes(secret)]).toEqual([field, false])
        expect(explanation.length).toBeLessThan(300)
      }
    }
  })

  test.each([
    [
      { input_tokens: '12' },
      'Expected `input_tokens` to be a whole number of 0 or more, got a string of 2 characters.',
    ],
    [{ provider: undefined }, 'Expected `provider` to be a string of at most 1024 characters, got nothing.'],
    [
      { tenant_id: '' },
      'Expected `tenant_id` to be a string of 1 to 256 characters without control characters, got a string of 0 characters.',
    ],
    [
      { cost_usd: 0.5 },
      "Expected `cost_usd` to be a string of decimal digits in dollars, at most 12 behind the point, such as '0.0000025', got `0.5`.",
    ],
    [
      { attempts: [{ billable: 'yes' }, { billable: 'perhaps' }] },
      'Expected `attempts.1.billable` to be one of yes, no, unknown, got a string of 7 characters.',
    ],
    [{ schema_version: 2 }, 'Expected `schema_version` to be a version from 1 to 1, got `2`.'],
    [
      { timestamp: 'yesterday' },
      'Expected `timestamp` to be an ISO 8601 time with its zone, got a string of 9 characters.',
    ],
  ])('say of %j: %s', async (change, sentence) => {
    expect(await explainWireEvent({ ...MINIMAL, ...change })).toBe(sentence)
  })

  test('take null for left out, and pass over what they do not know', () => {
    const nulls = Object.fromEntries(EVENT_FIELDS.map((field) => [WIRE_NAMES[field], null]))
    expect(checkWireEvent({ ...nulls, ...MINIMAL, added_later: { deep: [1] } })).toBe(true)
    expect(fromWire({ ...nulls, ...MINIMAL, added_later: 1 })).toEqual(fromWire(MINIMAL))
  })

  test('know every field', async () => {
    expect(Object.keys(FIELD_KINDS)).toEqual(EVENT_FIELDS)
    const schema = await wireEventSchema()
    expect(schema.parse({ ...FULL, added_later: 1 })).toEqual(FULL)
  })
})

/** Whether a cell names a status: by itself, or by its class. */
function names(status: number, cell: string): boolean {
  return cell.includes(String(status)) || cell.includes(`${Math.floor(status / 100)}xx`)
}

async function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}
