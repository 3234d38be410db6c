// A pull that broke off goes on where it stopped: what came is kept without a key, and for as long as it is right.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type AdminApis, startAdminApis } from '../../src/emulator/bills/admin.ts'
import { makeMonth } from '../../src/emulator/bills/month.ts'
import {
  type ReconcileOptions,
  type Reconciliation,
  reconcile,
  reconciledDays,
  toJson,
} from '../../src/reconcile/index.ts'
import { anthropicStatement } from '../../src/reconcile/sources/anthropic.ts'
import { openaiStatement } from '../../src/reconcile/sources/openai.ts'
import { DAY, HOUR, type Statement } from '../../src/reconcile/statement.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { type Gate, gate } from '../support/gate.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, failureOf, signal } from '../support/ledgers.ts'

const START = Date.UTC(2026, 9, 1)
const PERIOD = { since: START, until: START + 6 * DAY }
const NOW = START + 20 * DAY
const KEY = 'sk-admin-secret'
const month = makeMonth({ seed: 3, start: START, days: 6, calls: 60, tricks: [] })

let apis: AdminApis
beforeAll(async () => {
  apis = await startAdminApis(month, { pageSize: 2 })
})
afterAll(() => apis.close())

interface Place {
  readonly gate: Gate
  readonly folder: string
  readonly path: string
  run(over?: Partial<ReconcileOptions>): Promise<Reconciliation>
}

async function place(house: 'openai' | 'anthropic' = 'openai'): Promise<Place> {
  const temporary = temporaryFolder()
  const before = await gate(apis[house])
  onTestFinished(async () => {
    await before[Symbol.asyncDispose]()
    temporary[Symbol.dispose]()
  })
  const path = join(temporary.path, 'ledger.db')
  const folder = join(temporary.path, 'reconcile')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event({ at: START })] }, signal)
  await ledger.close()
  const run = (over: Partial<ReconcileOptions> = {}) =>
    reconcile({ ledger: { path }, statement: asking(house, before.url), ...PERIOD, now: NOW, keepIn: folder, ...over })
  return { gate: before, folder, path, run }
}

function asking(house: 'openai' | 'anthropic', baseUrl: string, adminKey?: string): Statement {
  const pause = async () => undefined
  return house === 'openai'
    ? openaiStatement({ adminKey: adminKey ?? KEY, baseUrl, step: '1d', pause })
    : anthropicStatement({ adminKey: adminKey ?? 'sk-ant-admin-secret', baseUrl, step: '1d', pause })
}

/** How many pages there are, asked without a gate that shuts. */
async function pagesOf(house: 'openai' | 'anthropic'): Promise<number> {
  const { gate, run } = await place(house)
  await run()
  return gate.passed
}

describe.each(['openai', 'anthropic'] as const)('%s', (house) => {
  test.each([
    ['busy', 'answered 429'],
    ['cut', 'could not be reached'],
  ] as const)(
    '%s beyond all patience: the next run asks for the rest alone, and comes to the same',
    async (how, sentence) => {
      const { gate, folder, path, run } = await place(house)
      const pages = await pagesOf(house)
      const come = Math.floor(pages / 2)
      gate.shut(how, come)
      const { message } = await failureOf(run())
      expect(message).toContain(sentence)
      expect(message).toContain('Nothing of these days was written, and the next run goes on from what came so far.')
      expect(gate.passed).toBe(come)
      expect([...(await reconciledDays({ path }, house)).keys()]).toEqual([])
      gate.open()
      const resumed = await run()
      expect(gate.passed).toBe(pages)
      expect((await reconciledDays({ path }, house)).size).toBe(6)
      expect(existsSync(folder)).toBe(false)
      const anew = await run()
      expect(gate.passed).toBe(2 * pages)
      expect(toJson(resumed)).toEqual(toJson(anew))
    },
  )
})

test('one that breaks off again and again comes to its end all the same', async () => {
  const { gate, run } = await place()
  const pages = await pagesOf('openai')
  for (let passed = 0; passed < pages - 1; passed++) {
    gate.shut('cut', 1)
    await failureOf(run())
    expect(gate.passed).toBe(passed + 1)
  }
  gate.open()
  await run()
  expect(gate.passed).toBe(pages)
})

describe('what is kept', () => {
  async function broken(): Promise<Place & { readonly come: number; readonly pages: number }> {
    const all = await place()
    const pages = await pagesOf('openai')
    all.gate.shut('busy', 4)
    await failureOf(all.run())
    all.gate.open()
    return { ...all, come: 4, pages }
  }

  test('has no key in it, and is for its owner alone', async () => {
    const { folder } = await broken()
    const [range] = readdirSync(folder)
    expect(range).toBe('openai-2026-10-01-to-2026-10-06')
    const files = readdirSync(join(folder, range!))
    expect(files).toHaveLength(5)
    for (const name of files) {
      expect(statSync(join(folder, range!, name)).mode & 0o077).toBe(0)
      expect(`${name}${readFileSync(join(folder, range!, name), 'utf8')}`).not.toContain('secret')
    }
  })

  test('is of those days, and no others', async () => {
    const { gate, run, come } = await broken()
    await run({ since: START, until: START + 2 * DAY })
    expect(gate.passed).toBeGreaterThan(come + 8)
  })

  test('is of that key: another may be of another organization', async () => {
    const { gate, run, come, pages } = await broken()
    await run({ statement: asking('openai', gate.url, 'sk-admin-another') })
    expect(gate.passed).toBe(come + pages)
  })

  test('is too old after twelve hours, and goes', async () => {
    const { gate, folder, run, come, pages } = await broken()
    await run({ now: NOW + 12 * HOUR + 1 })
    expect(gate.passed).toBe(come + pages)
    expect(existsSync(folder)).toBe(false)
  })

  test('goes when it is too old with a run of other days', async () => {
    const { folder, run } = await broken()
    await run({ now: NOW + 13 * HOUR, since: START, until: START + DAY })
    expect(existsSync(folder)).toBe(false)
  })

  test('is not trusted where a file of it is half written', async () => {
    const { folder, gate, run, pages } = await broken()
    const range = join(folder, readdirSync(folder)[0]!)
    const [name] = readdirSync(range).filter((file) => file.endsWith('.json'))
    writeFileSync(join(range, name!), '{"object":"pa')
    await run()
    expect(gate.passed).toBe(pages + 1)
  })

  test('goes with an answer that is not what it should be', async () => {
    const { gate, folder, run, come } = await broken()
    const odd: Statement = {
      ...asking('openai', gate.url),
      async *rows(...given) {
        yield* asking('openai', gate.url).rows(...given)
        throw new Error('a field has changed')
      },
    }
    await failureOf(run({ statement: odd }))
    expect(gate.passed).toBeGreaterThan(come)
    expect(existsSync(folder)).toBe(false)
  })

  test('may be impossible to keep, which is said once and stops nothing', async () => {
    const { folder, run } = await place()
    writeFileSync(folder, 'a file in its place')
    const said: string[] = []
    const result = await run({ onProblem: (sentence) => said.push(sentence) })
    expect(result.until).toBe(PERIOD.until)
    expect(said).toEqual([expect.stringMatching(/^Pages cannot be kept in .*: a run that breaks off begins anew\.$/)])
  })
})
