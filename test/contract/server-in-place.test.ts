// Batches that the ingest server reads where they stand: the same answers and the same rows as of a parser.

import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { readInPlace } from '../../src/server/in-place.ts'
import { createIngest } from '../../src/server/ingest.ts'
import type { Ledger } from '../../src/sinks/ledger.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { countOf, createRowReader, rowAt } from '../../src/sinks/wire/rows.ts'
import { CALL, meaning, modelOf, type Wire, wireEvent } from '../support/wire-events.ts'

interface Taken {
  readonly id: string
  readonly rows: readonly unknown[]
  readonly events: readonly LLMEvent[]
}

/** A server, and what it last gave to its ledger. */
function server(ledger: Ledger = sqliteLedger({ path: ':memory:' })) {
  let taken: Taken | undefined
  const keys = [{ key: 'any' }, { key: 'web', project: 'web' }]
  const noting: Ledger = {
    ...ledger,
    async send(batch, signal) {
      const rows = Array.from({ length: countOf(batch) }, (_, at) => meaning(rowAt(batch, at)))
      taken = { id: batch.id, rows, events: batch.events }
      return ledger.send(batch, signal)
    },
  }
  const handle = createIngest({ ledger: noting, apiKeys: keys, onProblem: () => {} })
  return {
    async post(bytes: Uint8Array<ArrayBuffer>, key = 'any', headers: Record<string, string> = {}) {
      taken = undefined
      const request = { method: 'POST', body: bytes, headers: { authorization: `Bearer ${key}`, ...headers } }
      const response = await handle(new Request('http://localhost/v1/ingest', request))
      return { status: response.status, answer: (await response.json()) as unknown, taken: taken as Taken | undefined }
    },
    async eventCounts() {
      const request = new Request('http://localhost/metrics', { headers: { authorization: 'Bearer any' } })
      return (await (await handle(request)).text()).split('\n').filter((line) => line.startsWith('tallygate_events'))
    },
  }
}

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text))
const batchOf = (...events: readonly string[]) => `{"schema_version":1,"batch_id":"b","events":[${events.join(',')}]}`
const written = (over: Wire = {}) => JSON.stringify({ ...CALL, ...over })

/** Two servers that know these events: one is sent a body as it is, the other with a space before it, which is for a parser. */
async function both(...models: readonly Wire[]) {
  const [inPlace, parsing] = [server(), server()]
  const known = models.map((model) => JSON.stringify(model))
  for (let times = 0; times < 3; times++) await inPlace.post(bytesOf(batchOf(...known)))
  return {
    inPlace,
    async compare(body: Uint8Array, key?: string) {
      const one = await inPlace.post(Uint8Array.from(body), key)
      const other = await parsing.post(Uint8Array.from([0x20, ...body]), key)
      // What the ledger had before is not the same.
      const said = ({ status, answer }: typeof one) => {
        const { accepted, duplicates, ...rest } = answer as Record<string, number>
        return { status, ...rest, right: accepted === undefined ? undefined : accepted + duplicates! }
      }
      expect(said(one)).toEqual(said(other))
      expect(one.taken).toEqual(other.taken)
      return one
    },
  }
}

const AFTER_IT = ',"input_tokens":1200'

describe('a batch that is read where it stands', () => {
  test.each<[what: string, body: string]>([
    ['as meters write them', batchOf(written(), written({ event_id: 'e2', cost_usd: '999.5' }))],
    ['of one id', batchOf(written(), written(), written())],
    ['without events', batchOf()],
    ['with one that is none', batchOf(written(), written({ input_tokens: -1 }), written({ event_id: 'e2' }))],
    ['with a text and a number among them', batchOf(written(), '"event"', '7', 'null', written())],
    ['with one that has an escape', batchOf(written(), written({ model: 'a"b\\{}' }), written({ event_id: 'e2' }))],
    ['with an escape where none has to be', batchOf(written(), written().replace('gpt-5', '\\u0067pt-5'))],
    ['with a NUL in the id of a tenant', batchOf(written(), written({ tenant_id: 'a\0b' }))],
    ['with half a pair', batchOf(written(), written({ event_id: 'a\ud800' }))],
    ['with a NUL as it is', batchOf(written(), written().replace('acme', 'ac\0me'))],
    ['with a field twice', batchOf(written(), written().replace(AFTER_IT, `${AFTER_IT},"input_tokens":-1`))],
    ['with a count twice', batchOf(written(), written().replace('"output":340', '"output":340,"output":1'))],
    ['with a prototype', batchOf(written(), written().replace('"output"', '"__proto__"'))],
    ['with names that are numbers', batchOf(written(), written().replace('"input":1200,"output"', '"b":1,"1"'))],
    ['with a number beyond what is exact', batchOf(written(), written().replace('1200', '9007199254740993'))],
    ['with a number beyond all', batchOf(written(), written().replace('812.25', '1e400'))],
    ['with a number in another form', batchOf(written(), written().replace('812.25', '81225e-2'))],
    ['with nothing less than zero', batchOf(written(), written().replace('812.25', '-0'))],
    ['with an unknown field', batchOf(written(), written({ colour: [{}, '}', ['\\']] }))],
    ['with a null', batchOf(written(), written({ team: null }))],
    ['of another project', batchOf(written(), written({ project: 'batch' }), written({ project: 'web' }))],
    ['of an empty project', batchOf(written({ project: '' }))],
    ['with white space between them', batchOf(written(), ` ${written()}`)],
    ['with a comma too many', batchOf(written(), '')],
    ['with a comma at its end', batchOf(written()).replace(']}', ',]}')],
    ['that has no end', batchOf(written()).slice(0, -2)],
    ['that ends in the middle of a text', batchOf(written()).slice(0, -40)],
    ['with something behind it', `${batchOf(written())}x`],
    ['twice', batchOf(written()).repeat(2)],
    ['with a field behind its events', batchOf(written()).replace(']}', '],"batch_id":"c"}')],
    ['with two lists of events', batchOf(written()).replace(']}', `],"events":[${written()}]}`)],
    ['with an id that is too long', batchOf(written()).replace('"b"', `"${'b'.repeat(257)}"`)],
    ['with an id that has a NUL', batchOf(written()).replace('"b"', '"b\\u0000"')],
    ['of a newer version', batchOf(written()).replace('"schema_version":1', '"schema_version":2')],
    ['33 deep', batchOf(written(), written({ x: JSON.parse(`${'['.repeat(33)}${']'.repeat(33)}`) as Wire }))],
    ['of nothing but objects', batchOf(written(), ...Array.from({ length: 2000 }, () => '{}'))],
    ['of more events than it may have', batchOf(...Array.from({ length: 10_001 }, () => written()))],
    ['of nonsense that looks like one', batchOf(written(), ...Array.from({ length: 200 }, () => '{"event_id":"x"}'))],
  ])('%s is answered and written as by a parser', async (_, body) => {
    const { compare } = await both(CALL, { ...CALL, project: 'web' })
    for (const key of ['any', 'web']) await compare(bytesOf(body), key)
  })

  test('that is no UTF-8 is refused', async () => {
    const { compare } = await both(CALL)
    const body = bytesOf(batchOf(written()))
    body[body.indexOf('a'.charCodeAt(0), 200)] = 0xff
    expect(await compare(body)).toMatchObject({ status: 400, taken: undefined })
  })

  test('counts an event once, by its id, and says so', async () => {
    const { inPlace } = await both(CALL)
    const body = batchOf(written({ event_id: 'n1' }), written({ event_id: 'n1' }), written({ event_id: 'n2' }))
    const first = await inPlace.post(bytesOf(body))
    expect(first.answer).toEqual({ accepted: 2, duplicates: 1, rejected: [] })
    const packed = Uint8Array.from(gzipSync(body))
    const again = await inPlace.post(packed, 'any', { 'content-encoding': 'gzip' })
    expect(again.answer).toEqual({ accepted: 0, duplicates: 3, rejected: [] })
    expect(await inPlace.eventCounts()).toEqual([
      'tallygate_events_total{result="accepted"} 3',
      'tallygate_events_total{result="duplicate"} 6',
      'tallygate_events_total{result="rejected"} 0',
    ])
  })

  test('gives its events to a ledger that asks for them', async () => {
    const { inPlace } = await both(CALL)
    const { taken } = await inPlace.post(bytesOf(batchOf(written(), written({ model: 'a"b' }))), 'web')
    expect(taken?.events.map(({ model, project }) => [model, project])).toEqual([
      ['gpt-5', 'web'],
      ['a"b', 'web'],
    ])
  })
})

const spoil = fc.tuple(
  fc.nat(),
  fc.nat(3),
  fc.oneof(
    fc.constantFrom(
      ...Array.from('{}[]:,"\\0.e- '),
      '',
      'null',
      '\\u0000',
      '\\ud800',
      '1e9',
      '},{',
      ']}',
      '":1,"',
      '\u2028',
      '🐋',
    ),
    fc.string({ maxLength: 3 }),
  ),
)

const call = fc
  .record({
    event_id: fc.uuid(),
    model: fc.constantFrom('gpt-5', '🐋', ''),
    input_tokens: fc.nat(),
    stream: fc.boolean(),
  })
  .map((over): Wire => ({ ...CALL, ...over }))
const anyEvent = fc.oneof({ weight: 4, arbitrary: call }, { weight: 1, arbitrary: wireEvent })

describe('any batch', () => {
  test('is answered and written as by a parser', async () => {
    let taken = 0
    let inPlace = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { minLength: 1, maxLength: 4 }),
        fc.array(spoil, { maxLength: 2 }),
        fc.constantFrom('any', 'web'),
        async (events, slips, key) => {
          const models = events.map(modelOf)
          const { compare } = await both(...models)
          const reader = createRowReader()
          for (const model of models) for (let times = 0; times < 3; times++) reader.learn(JSON.stringify(model))
          let body = batchOf(...events.map((event) => JSON.stringify(event)))
          for (const [place, gone, put] of slips) {
            const at = place % body.length
            body = body.slice(0, at) + put + body.slice(at + gone)
          }
          const { status } = await compare(bytesOf(body), key)
          if (status === 200) taken++
          if (readInPlace(body, { project: undefined }, reader, () => false)) inPlace++
        },
      ),
      { numRuns: 300 },
    )
    // Without a parser for any event of it.
    expect(inPlace).toBeGreaterThan(30)
    expect(taken).toBeGreaterThan(inPlace)
  })
})
