// `tallygate reconcile` as a person runs it, against provider APIs on loopback, on every database.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Command, readValues, type Stop } from '../../src/cli/command.ts'
import { reconcile } from '../../src/cli/reconcile.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { type AdminApis, startAdminApis } from '../../src/emulator/bills/admin.ts'
import { makeMonth } from '../../src/emulator/bills/month.ts'
import type { LLMEvent } from '../../src/event.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { repriceEvent, withPrice } from '../../src/reprice.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { postgresServer, signal, stopServers } from '../support/ledgers.ts'

const START = Date.UTC(2026, 9, 1)
const month = makeMonth({ seed: 8, start: START, days: 6, calls: 80, tricks: ['stranger', 'old-tariff'] })
let apis: AdminApis

beforeAll(async () => {
  apis = await startAdminApis(month)
})
afterAll(async () => {
  await apis.close()
  await stopServers()
})

async function fill(ledger: ReturnType<typeof sqliteLedger> | ReturnType<typeof postgresLedger>): Promise<void> {
  const book = await loadPriceBook()
  const events = month.notes.map((note) => {
    const event = note as unknown as LLMEvent
    return withPrice(event, repriceEvent(event, book))
  })
  await ledger.send({ id: 'b', events }, signal)
  await ledger.close()
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-reconcile-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const PLACES: Record<string, () => Promise<string[]>> = {
  SQLite: async () => {
    const dir = folder()
    await fill(sqliteLedger({ path: join(dir, 'ledger.db') }))
    return ['--dir', dir]
  },
  PostgreSQL: async () => {
    const server = await postgresServer()
    await server.run('DROP SCHEMA IF EXISTS tallygate CASCADE')
    await fill(postgresLedger({ databaseUrl: server.url }))
    return ['--database-url', server.url]
  },
}

interface Printed {
  readonly causes: readonly { readonly cause: string }[]
  readonly billed_usd: string
  readonly owner: string | null
  readonly status: 'ok' | 'warn' | 'fail'
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  let [out, err] = ['', '']
  const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: (more) => (err += more) }, {})
  const setting = {
    terminal,
    env: {
      OPENAI_ADMIN_KEY: 'sk-admin-secret',
      OPENAI_ADMIN_BASE_URL: apis.openai,
      OPENAI_BASE_URL: 'http://127.0.0.1:1/a-gateway-that-sees-no-admin-key',
      ANTHROPIC_ADMIN_KEY: 'sk-ant-admin-secret',
      ANTHROPIC_ADMIN_BASE_URL: apis.anthropic,
      ...env,
    },
  }
  const command: Command = reconcile
  const exitCode = await command.run(readValues(command, args), setting)
  return { out, err, exitCode, json: () => JSON.parse(out) as Printed }
}

async function stopOf(args: readonly string[]): Promise<Stop> {
  return run(args).then(
    () => {
      throw new Error('it was taken')
    },
    (error: unknown) => error as Stop,
  )
}

describe.each(Object.entries(PLACES))('%s', (_, place) => {
  test('each provider, in every form, the same once more', async () => {
    const where = await place()
    const all: string[] = []
    for (const provider of ['openai', 'anthropic']) {
      const args = ['--provider', provider, '--since', '2026-10-01', '--until', '2026-10-07', ...where]
      const html = join(folder(), 'page.html')
      const { json, exitCode } = await run([...args, '--json', '--html', html, '--owner', 'ml-platform'])
      const { causes, billed_usd: billed, owner, status } = json()
      all.push(...causes.map(({ cause }) => `${provider} ${cause}`))
      expect(owner).toBe('ml-platform')
      expect(exitCode).toBe({ ok: 0, warn: 3, fail: 4 }[status])
      expect(readFileSync(html, 'utf8')).toContain('What these figures cannot tell')
      expect(readFileSync(html, 'utf8').includes('To look at this: ml-platform.')).toBe(status !== 'ok')
      const again = (await run([...args, '--json'])).json()
      expect(again.billed_usd).toBe(billed)
      const { out } = await run([...args, '--markdown', '--dry-run', '--owner', 'ml_platform'])
      expect(out).toContain(`# ${provider}, 2026-10-01 to 2026-10-06`)
      expect(out.includes('To look at this: ml\\_platform.')).toBe(status !== 'ok')
      expect((await run(args)).out).toContain('Costs of single calls: EXACT')
    }
    const planted = month.planted.map(
      ({ trick, house }) => `${house} ${trick === 'stranger' ? 'foreign-key' : 'price-book'}`,
    )
    expect(all.sort()).toEqual(planted.sort())
  })

  test('yesterday, with the days whose late rows have come', async () => {
    const where = await place()
    vi.useFakeTimers({ toFake: ['Date'], now: START + 5 * 86_400_000 + 3_600_000 * 2 })
    onTestFinished(() => void vi.useRealTimers())
    const { json } = await run(['--provider', 'anthropic', '--day', 'yesterday', '--json', ...where])
    expect(json()).toMatchObject({
      since: '2026-10-05T00:00:00.000Z',
      until: '2026-10-06T00:00:00.000Z',
      not_final: [],
    })
    // What OpenAI bills of yesterday is not final two hours after it is over.
    const early = await run(['--provider', 'openai', '--day', 'yesterday', '--json', ...where])
    expect(early.json()).toMatchObject({ not_final: ['2026-10-05'], billed_usd: '0' })
  })

  test('yesterday is told with what drifts of the days before it by now', async () => {
    const where = await place()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 9, 9, 6) })
    onTestFinished(() => void vi.useRealTimers())
    const { house } = month.planted.find(({ trick }) => trick === 'old-tariff')!
    const { err, exitCode, json } = await run(['--provider', house, '--day', 'yesterday', '--json', ...where])
    expect(json()).toMatchObject({ since: '2026-10-08T00:00:00.000Z', status: 'ok' })
    expect(err).toContain('2026-10-06, compared once more for its late rows: fail.\n')
    expect(exitCode).toBe(4)
  })
})

test('an export in parts is one bill, and a part that is given twice is told', async () => {
  const where = await PLACES['SQLite']!()
  const part = (day: number) => {
    const path = join(folder(), `part-${day}.csv`)
    writeFileSync(path, `date,model,type,quantity,cost\n2026-10-0${day},gpt-4.1,input_tokens,1000,${day}.5\n`)
    return path
  }
  const [first, second] = [part(1), part(2)]
  const args = ['--provider', 'openai', '--since', '2026-10-01', '--until', '2026-10-03', '--json', ...where]
  expect((await run([...args, '--file', first, '--file', second])).json().billed_usd).toBe('4')
  const nowhere = join(folder(), 'nowhere', 'page.html')
  expect(await stopOf([...args, '--file', first, '--file', second, '--html', nowhere])).toMatchObject({
    message: `The file ${nowhere} cannot be written (ENOENT).`,
    exitCode: 1,
  })
  const { err } = await run(['--provider', 'opnai', ...args.slice(2), '--file', first, '--file', second])
  expect(err).toContain('The ledger has no calls of opnai in these days.')
  expect((await stopOf([...args, '--file', first, '--file', first])).message).toContain('got the same as on line 2 of')
})

describe('what a command line may not say', () => {
  test.each([
    [[], '`reconcile` needs `--provider <name>`, or `--demo`.'],
    [['--provider', 'openai'], '`reconcile` needs one of `--day <date>`, `--since <moment>` and `--month <month>`.'],
    [
      ['--provider', 'openai', '--month', '2026-13'],
      'Expected `--month` to be a month such as 2026-11, got "2026-13".',
    ],
    [['--provider', 'openai', '--month', '2026-10', '--until', '1d'], '`--until` goes with `--since`.'],
    [['--provider', 'openai', '--month', '2026-10', '--step', '2h'], 'Expected `--step` to be 1m, 1h or 1d, got "2h".'],
    [
      ['--provider', 'openai', '--month', '2026-10', '--format', 'focus'],
      '`--format` is of a file: `--file <path>` names it.',
    ],
    [
      ['--provider', 'groq', '--month', '2026-10'],
      'Only openai, anthropic, openrouter can be asked over their APIs; for "groq" give an export of its bill: `--file <path> --format <csv|focus|litellm|google-billing|aws-cur|azure-costs|bedrock>`.',
    ],
    [
      ['--provider', 'openai', '--month', '2026-10', '--file', 'x', '--format', 'xls'],
      'Expected `--format` to be one of csv, focus, litellm, google-billing, aws-cur, azure-costs, bedrock, got "xls".',
    ],
    [['--provider', 'openai', '--month', '2026-10', '--seed', '4'], '`--seed` goes with `--demo`.'],
    [
      ['--provider', 'openai', '--month', '2026-10', '--dry-run', '--apply'],
      '`--dry-run` writes nothing: leave out `--apply` and `--rebaseline`.',
    ],
    [
      ['--provider', 'openai', '--month', '2026-10', '--file', 'x', '--step', '1m'],
      '`--step` and `--by-profile` are of what a provider is asked, and a file was named.',
    ],
    [
      ['--provider', 'openai', '--month', '2026-10', '--by-profile'],
      '`--by-profile` is of Anthropic: `--provider anthropic`.',
    ],
    [['--demo', '--seed', 'x'], 'Expected `--seed` to be a whole number, got "x".'],
  ])('%j', async (args, message) => {
    expect(await stopOf(args)).toMatchObject({ message, exitCode: 2 })
  })
})

test('the demo finds all that it planted, and says which month it was', async () => {
  const { out, exitCode } = await run(['--demo', '--seed', '4'])
  expect(out).toContain('Seed 4: a month of two providers, with 14 faults that only their maker knows of.')
  expect(out).toContain('14 of 14 faults found, 0 invented')
  expect(exitCode).toBe(0)
})
