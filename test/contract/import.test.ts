// Logs of other programs as events: every format by its fixture, which it finds by itself, and what files can look like.

import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { type LLMEvent, toWire } from '../../src/event.ts'
import { LOG_FORMATS, type ReadLogOptions, type ReadRow, readLog } from '../../src/import/index.ts'
import { unpacked } from '../../src/import/unpack.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { checkWireEvent } from '../../src/wire.ts'

const FOLDER = join(root, 'test/fixtures/import')
const NOON = Date.UTC(2026, 10, 18, 12)

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

async function* bytesOf(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? new TextEncoder().encode(part) : part
}

async function read(bytes: AsyncIterable<Uint8Array>, options: Partial<ReadLogOptions> = {}): Promise<ReadRow[]> {
  const rows: ReadRow[] = []
  for await (const row of readLog(bytes, { format: 'jsonl', book, ...options })) rows.push(row)
  return rows
}

const fixture = (name: string) => createReadStream(join(FOLDER, `${name}.jsonl`))
const events = (rows: readonly ReadRow[]): LLMEvent[] => rows.map((row) => ('event' in row ? row.event : undefined)!)

/** By format, what each line of its fixture is. Costs are reckoned by hand from the published rates. */
const EXPECTED: Record<string, readonly Partial<LLMEvent>[]> = {
  jsonl: [
    { eventId: '019abcde-0000-7000-8000-000000000001', costUsd: '0.0123', costSource: 'priced' },
    { tenantId: 'acme', usage: { 'input.text': 1000, 'output.text': 100 }, costUsd: '0.0035', costSource: 'priced' },
    { eventId: 'mine-1', costUsd: '0.5', costSource: 'reported' },
  ],
  litellm: [
    {
      tenantId: 'acme',
      userId: 'u-7',
      team: 'search',
      sessionId: 's-1',
      tags: { 'plan:pro': true },
      host: 'api.openai.com',
      costUsd: '0.0035',
      costSource: 'reported',
      durationMs: 2500,
      timeToFirstTokenMs: 400,
    },
    { model: 'gpt-4o', costUsd: '0.0035', costSource: 'priced', durationMs: 2000 },
    {
      provider: 'anthropic',
      // 1000 x 3 + 3000 x 0.3 + 400 x 3.75 + 600 x 6 + 100 x 15, a million of each.
      costUsd: '0.0105',
      inputTokens: 5000,
      usage: {
        'input.text': 1000,
        'input.text.cache_read': 3000,
        'input.text.cache_write_5m': 400,
        'input.text.cache_write_1h': 600,
        'output.text': 100,
      },
    },
    { costUsd: '0', costSource: 'reported', usageSource: 'absent', metadata: { litellm_cache_hit: true } },
    { error: 'http_429', usageSource: 'absent' },
    { endpoint: 'embeddings', costUsd: '0.00004', inputTokens: 2000 },
  ],
  openai: [
    { tenantId: 'acme', feature: 'search', endpoint: 'chat.completions', costUsd: '0.0035', responseId: 'chatcmpl-a' },
    // 1000 x 0.25 + 1000 x 0.025 + 300 x 2, a million of each.
    { endpoint: 'responses', reasoningTokens: 200, cachedTokens: 1000, costUsd: '0.000875' },
    { stream: true, durationMs: 812.5, costUsd: '0.0035' },
    { serviceTier: 'batch', requestId: 'req_d', costUsd: '0.00175' },
    { error: 'context_length_exceeded', usageSource: 'absent' },
  ],
  anthropic: [
    { userId: 'u-7', cacheCreationTokens: 1000, costUsd: '0.0105' },
    { costUsd: '0.0045' },
    { serviceTier: 'batch', costUsd: '0.00225' },
    { stream: true, costUsd: '0.0045' },
  ],
  bedrock: [
    {
      tenantId: 'acme',
      tags: { plan: 'pro' },
      model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      host: 'bedrock-runtime.us-east-1.amazonaws.com',
      durationMs: 3114,
      // A tenth above the price of the whole world.
      costUsd: '0.00495',
    },
    { endpoint: 'invoke', stream: true, cacheCreationTokens: 1000, costUsd: '0.01155' },
    { model: 'meta.llama3-3-70b-instruct-v1:0', inputTokens: 1000, costUsd: '0.000792' },
    { error: 'ThrottlingException', usageSource: 'absent' },
  ],
}

test.each([
  ['plain', (text: string) => Buffer.from(text)],
  ['packed', (text: string) => gzipSync(text)],
])('a reader that stops in the middle of a %s file closes it', async (_, pack) => {
  let isClosed = false
  const whole = pack(`${JSON.stringify({ a: 1 })}\n`.repeat(1000))
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < whole.length; at += 20) yield whole.subarray(at, at + 20)
    } finally {
      isClosed = true
    }
  }
  for await (const _ of unpacked(bytes())) break
  expect(isClosed).toBe(true)
})

test('every format that there is a file of is in the list', () => {
  const folder = join(root, 'src/import')
  const files = readdirSync(folder).filter((name) => /: LogFormat = \{/.test(readFileSync(join(folder, name), 'utf8')))
  expect(files.map((name) => name.replace('.ts', '')).sort()).toEqual(LOG_FORMATS.map(({ name }) => name).sort())
})

describe.each(LOG_FORMATS.map(({ name }) => name))('%s', (format) => {
  test('has a fixture, whose lines are these events', async () => {
    expect(existsSync(join(FOLDER, `${format}.jsonl`))).toBe(true)
    const found = events(await read(fixture(format), { format, at: NOON }))
    expect(found).toMatchObject(EXPECTED[format]!)
    for (const { timestamp } of found) expect(timestamp).toMatch(/^202[56]-11-18T12:00:00/)
  })

  test('gives each row the same id again, and no two the same', async () => {
    const [once, again] = [
      await read(fixture(format), { format, at: NOON }),
      await read(fixture(format), { format, at: NOON + 1 }),
    ]
    const ids = events(once).map(({ eventId }) => eventId)
    expect(events(again).map(({ eventId }) => eventId)).toEqual(ids)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('keeps no text of a prompt or an answer', async () => {
    const found = JSON.stringify(events(await read(fixture(format), { format, at: NOON })))
    expect(found).not.toMatch(/lark|Who sang/)
  })

  test('sets garbage aside, with its line and without its text, and goes on', async () => {
    const rows = await read(bytesOf('{"a":"secret"}\nsecret\n[1]\n"secret"\n{"usage":"secret","id":{}}\n'), { format })
    expect(rows.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
    for (const row of rows) expect(row).toMatchObject({ fault: expect.stringMatching(/^[A-Z].*\.$/) })
    expect(JSON.stringify(rows)).not.toContain('secret')
  })

  test('makes an event that a ledger takes, or says why not, of a row in which anything was changed', async () => {
    const rows = readFileSync(join(FOLDER, `${format}.jsonl`), 'utf8')
      .trim()
      .split('\n')
    const SECRET = 'a secret word'
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        -1,
        0.5,
        1e21,
        2 ** 53,
        '',
        SECRET,
        `data: ${SECRET}`,
        [],
        {},
        [SECRET],
        true,
        '\0',
        '🐋'.repeat(600),
      ),
      fc.object({ maxDepth: 2, withNullPrototype: false }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...rows),
        fc.array(fc.tuple(fc.nat(), value), { minLength: 1, maxLength: 4 }),
        async (row, changes) => {
          const changed = changes.reduce((json: unknown, [at, to]) => changedAt(json, at, to), JSON.parse(row))
          const [read1, ...more] = await read(bytesOf(JSON.stringify(changed)), { format, at: NOON })
          expect(more).toEqual([])
          if (read1 && 'event' in read1) {
            expect(checkWireEvent(toWire(read1.event))).toBe(true)
            read1.captured?.output()
            read1.captured?.prompt()
          } else if (read1) {
            expect(read1.fault).toMatch(/\.$/)
            expect(read1.fault).not.toContain(SECRET)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('prices by the book whatever a row says, where it is told to', async () => {
    const rows = events(await read(fixture(format), { format, at: NOON, isPricedAnew: true }))
    const reported = rows.filter(({ costSource }) => costSource === 'reported')
    expect(reported.map(({ eventId }) => eventId)).toEqual(format === 'jsonl' ? ['mine-1'] : [])
  })
})

/** The same JSON with another value at one of its places. */
function changedAt(json: unknown, at: number, to: unknown): unknown {
  const copy: unknown = structuredClone(json)
  const places: [Record<string, unknown>, string][] = []
  const gather = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const name of Object.keys(value)) {
      places.push([value as Record<string, unknown>, name])
      gather((value as Record<string, unknown>)[name])
    }
  }
  gather(copy)
  const place = places[at % Math.max(1, places.length)]
  if (place) place[0][place[1]] = to
  return copy
}

describe('what was said', () => {
  test('is there for a count, in memory', async () => {
    for (const format of ['openai', 'anthropic', 'bedrock', 'litellm']) {
      const [row] = await read(fixture(format), { format, at: NOON })
      if (!row || !('captured' in row)) throw new Error(`${format} has no text`)
      expect(row.captured?.output()).toEqual({ texts: ['It was the lark.'], isTextOnly: true })
    }
  })
})

describe('tenants', () => {
  test('stand where the row has them, or where it is said', async () => {
    const options = { format: 'litellm', tenantId: 'nobody' }
    expect(events(await read(fixture('litellm'), options)).map(({ tenantId }) => tenantId)[1]).toBe('nobody')
    const teams = events(await read(fixture('litellm'), { ...options, tenantFrom: 'team_id' }))
    expect(teams.map(({ tenantId }) => tenantId)).toEqual(['search', ...Array.from({ length: 5 }, () => 'nobody')])
    const arns = events(await read(fixture('bedrock'), { format: 'bedrock', tenantFrom: 'identity.arn' }))
    expect(arns[0]!.tenantId).toBe('arn:aws:iam::123456789012:user/web')
  })
})

describe('files', () => {
  const line = (id: number) =>
    JSON.stringify({
      id: `c-${id}`,
      object: 'chat.completion',
      created: 1_763_467_200,
      model: 'gpt-4o',
      usage: { prompt_tokens: 1, completion_tokens: 1 },
    })
  const openai = (bytes: AsyncIterable<Uint8Array>) => read(bytes, { format: 'openai' })
  const shape = (rows: readonly ReadRow[]) =>
    rows.map((row) => ('fault' in row ? `${row.line}: ${row.fault}` : row.line))

  test('may be packed, in several pieces, and cut anywhere by the network', async () => {
    const packed = Buffer.concat([gzipSync(`${line(1)}\n`), gzipSync(`${line(2)}\n${line(3)}`)])
    const bytes = Array.from(packed, (byte) => Uint8Array.of(byte))
    expect(shape(await openai(bytesOf(...bytes)))).toEqual([1, 2, 3])
  })

  test('that end in the middle of a line say so, and what is before counts', async () => {
    const text = `${line(1)}\n${line(2)}\n${line(3)}`
    expect(shape(await openai(bytesOf(text.slice(0, -20))))).toEqual([1, 2, '3: The file ends in the middle of it.'])
    const packed = gzipSync(text)
    const rows = shape(await openai(bytesOf(packed.subarray(0, packed.length - 9))))
    expect(rows.at(-1)).toMatch(/The packed file is cut off or damaged from here on\.$/)
  })

  test('may be a list, with its line breaks anywhere', async () => {
    const list = JSON.stringify(
      [1, 2].map((id) => JSON.parse(line(id)) as unknown),
      null,
      2,
    )
    expect(shape(await openai(bytesOf(...list.split(''))))).toEqual([2, 12])
    expect(shape(await openai(bytesOf(list.slice(0, -30))))).toEqual([2, '12: The file ends in the middle of it.'])
    const strange = JSON.stringify([{ a: '}]{["\\"' }, JSON.parse(line(3))])
    expect(shape(await openai(bytesOf(strange))).length).toBe(2)
  })

  test('may be a table, as psql copies one', async () => {
    const header =
      'request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,endTime,model,custom_llm_provider,end_user,metadata'
    const row = (id: string, more = '') =>
      `${id},acompletion,0.0035,1000,100,2026-11-18 13:00:00.25+01,2026-11-18 12:00:01.5,gpt-4o,openai,"ac,me","{""a"":""b\n""}"${more}`
    const csv = `${header}\r\n${row('r-1')}\r\n${row('r-2', ',too many')}\r\n${row('r-3')}\r\n${row('r-4').slice(0, -4)}`
    const rows = await read(bytesOf(...csv.split('')), { format: 'litellm' })
    expect(shape(rows)).toEqual([
      2,
      '4: It has 12 values, and the header 11 names.',
      6,
      '8: The file ends in the middle of it.',
    ])
    expect(rows[0]).toMatchObject({
      event: {
        tenantId: 'ac,me',
        inputTokens: 1000,
        costUsd: '0.0035',
        timestamp: '2026-11-18T12:00:00.250Z',
        durationMs: 1250,
      },
    })
  })

  test('that hold nothing have no rows', async () => {
    expect(await openai(bytesOf(''))).toEqual([])
    expect(await openai(bytesOf('\n \n'))).toEqual([])
    expect(await openai(bytesOf('\ufeff', `${line(1)}\r\n\r\n`))).toHaveLength(1)
  })

  test('a row without a time wants one, and a row without an id is told by its content', async () => {
    const bare =
      '{"type":"message","role":"assistant","model":"claude-sonnet-4-5","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
    const rows = await read(bytesOf(`${bare}\n${bare}\n`), { format: 'anthropic', at: NOON })
    const [first, second] = events(rows).map(({ eventId }) => eventId)
    expect(first).not.toBe(second)
    expect(shape(await read(bytesOf(bare), { format: 'anthropic' }))).toEqual([
      '1: It does not say when the call was made: give `--at`.',
    ])
  })

  test('a piece of a stream is no answer', async () => {
    const piece = '{"id":"c","object":"chat.completion.chunk","choices":[]}'
    expect(shape(await openai(bytesOf(piece)))[0]).toMatch(/^1: It is a piece of a stream/)
  })

  test('a format that there is none of is named', async () => {
    await expect(read(bytesOf(''), { format: 'helicone' })).rejects.toThrow(
      'Expected `format` to be jsonl, litellm, openai, anthropic, bedrock, got "helicone".',
    )
  })
})
