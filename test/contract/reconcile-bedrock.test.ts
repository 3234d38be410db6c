// Bedrock's invocation logs as a statement: each form that they come in, beside a ledger of the same calls, and what stops them.
// Shapes: docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html, schemaVersion 1.0, read on 2026-11-22.

import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import type { LLMEvent } from '../../src/event.ts'
import { readLog } from '../../src/import/index.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { reconcile } from '../../src/reconcile/reconcile.ts'
import { bedrockStatement } from '../../src/reconcile/sources/bedrock.ts'
import { DAY, type Statement, type StatementRow } from '../../src/reconcile/statement.ts'
import { headline } from '../../src/reconcile/words.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { failureOf, signal } from '../support/ledgers.ts'

const FIRST = Date.UTC(2026, 9, 1)
const PERIOD = { since: FIRST, until: FIRST + DAY }
const FIXTURE = join(root, 'test/fixtures/reconcile/bedrock.jsonl')
const RECORDS = readFileSync(FIXTURE, 'utf8').trim().split('\n')

function file(content: string | Buffer, name = 'log'): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  const path = join(temporary.path, name)
  writeFileSync(path, content)
  return path
}

async function all(statement: Statement): Promise<StatementRow[]> {
  const rows: StatementRow[] = []
  for await (const row of statement.rows(PERIOD)) rows.push(row)
  return rows
}

const SONNET = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
const ROWS = [
  [SONNET, 'input.text', 1000, 1],
  [SONNET, 'output.text', 100, undefined],
  [SONNET, 'input.text.cache_read', 3000, undefined],
  [SONNET, 'input.text.cache_write', 200, undefined],
  [SONNET, 'input.text', 500, 1],
  [SONNET, 'output.text', 50, undefined],
  [SONNET, 'input.text.cache_write', 40, undefined],
  ['amazon.titan-embed-text-v2:0', 'input.text', 7, 1],
]

test.each<[string, string | Buffer]>([
  ['as S3 has it', RECORDS.join('\n')],
  ['packed', gzipSync(RECORDS.join('\n'))],
  ['packed in several pieces behind each other', Buffer.concat(RECORDS.map((record) => gzipSync(`${record}\n`)))],
  ['as CloudWatch exports it', RECORDS.map((record) => `2026-10-01T10:00:03.000Z ${record}`).join('\n')],
  ['as the events of CloudWatch', RECORDS.map((message) => JSON.stringify({ timestamp: 1, message })).join('\n')],
])('%s: the counts of each record, and none of what was refused', async (_, content) => {
  const rows = await all(bedrockStatement({ path: file(content), provider: 'aws' }))
  expect(rows.map(({ model, type, quantity, requests }) => [model, type, quantity, requests])).toEqual(ROWS)
  expect(rows[0]).toMatchObject({
    kind: 'usage',
    since: FIRST + 36_003_000,
    responseId: '7487ab04-734e-470b-8dfc-46d8d8506381',
    profile: 'arn:aws:sts::123456789012:assumed-role/web/acme',
    project: '123456789012',
  })
  expect(rows.every(({ cost }) => cost === undefined)).toBe(true)
})

describe('beside a ledger of the same calls', () => {
  async function compared(change: (events: LLMEvent[]) => LLMEvent[]) {
    const path = join(file('', 'empty'), '..', 'ledger.db')
    const events: LLMEvent[] = []
    for await (const row of readLog(createReadStream(FIXTURE), { format: 'bedrock', book: await loadPriceBook() }))
      if ('event' in row) events.push(row.event)
    const ledger = sqliteLedger({ path })
    await ledger.send({ id: 'b', events: change(events) }, signal)
    await ledger.close()
    const statement = bedrockStatement({ path: FIXTURE, provider: 'aws' })
    return reconcile({ ledger: { path }, statement, ...PERIOD, now: FIRST + 30 * DAY })
  }

  test('nothing differs, and nothing is said of prices', async () => {
    const result = await compared((events) => events)
    const { difference, causes, status, sides } = result
    expect(headline(result)).toMatch(/^aws counted what is worth \$0\.0\d+ at our prices, and the ledger says the same/)
    expect({ difference, causes, status }).toEqual({ difference: 0n, causes: [], status: 'ok' })
    expect(sides.usage).toMatchObject({ requests: 3, inputTokens: 4747, outputTokens: 150 })
    expect(sides.bill).toBeUndefined()
  })

  test('a call that is in no log of ours is named, with the role that made it', async () => {
    const { causes, status, unattributed } = await compared((events) =>
      events.filter(({ requestId }) => requestId !== 'r-2'),
    )
    expect(causes).toMatchObject([{ cause: 'foreign-key', requests: 1 }])
    expect(unattributed[0]!.who).toBe('profile=arn:aws:sts::123456789012:assumed-role/web/globex project=123456789012')
    expect(status).toBe('fail')
  })
})

describe('what it stops at', () => {
  const record = JSON.parse(RECORDS[0]!) as Record<string, unknown>
  const over = (fields: object) => JSON.stringify({ ...record, ...fields })

  test.each([
    [
      'a request that is there twice',
      [over({}), over({ timestamp: '2026-10-01T10:00:04Z' })],
      'Bedrock invocation log, line 2: expected the request to be one that is there once, got the same as on line 1.',
    ],
    [
      'another version of the record',
      [over({ schemaVersion: '2.0' })],
      'Bedrock invocation log, line 1: expected `schemaVersion` to be one of 1, got "2.0".',
    ],
    [
      'another log',
      [over({ schemaType: 'GuardrailLog' })],
      'Bedrock invocation log, line 1: expected `schemaType` to be "ModelInvocationLog", got "GuardrailLog".',
    ],
    [
      'a count that is a text',
      [over({ input: { inputTokenCount: 'many' } })],
      'Bedrock invocation log, line 1: expected `inputTokenCount` to be a whole number of at least 0, got "many".',
    ],
    [
      'an event of CloudWatch that is no record',
      [JSON.stringify({ message: 'who sang?' })],
      'Bedrock invocation log, line 1: expected `message` to be the JSON of a record, got a text that is none.',
    ],
    [
      'a line that breaks off',
      [over({}), over({ requestId: 'r-9' }).slice(0, 200)],
      'Bedrock invocation log, line 2: expected the line to be a JSON object, got one that breaks off, or is none.',
    ],
  ])('%s', async (_, lines, message) => {
    const statement = bedrockStatement({ path: file(lines.join('\n')), provider: 'aws' })
    expect((await failureOf(all(statement))).message).toBe(message)
  })

  test('a packed file that is cut off', async () => {
    const packed = gzipSync(RECORDS.join('\n'))
    const statement = bedrockStatement({ path: file(packed.subarray(0, packed.length - 40)), provider: 'aws' })
    expect((await failureOf(all(statement))).message).toBe(
      'Bedrock invocation log: expected the file to be whole, got one whose packing is cut off or damaged.',
    )
  })
})
