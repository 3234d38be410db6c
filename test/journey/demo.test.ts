// "npm run demo": real SDKs, three tenants, a limit, and a ledger that agrees with the provider's bill.

import { mkdirSync, symlinkSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { Meter } from 'tallygate'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { widthOf } from '../../src/cli/width.ts'
import { roundedTo } from '../../src/figures.ts'
import { parseUsd } from '../../src/money.ts'
import { type Finished, run } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

// Loading three SDKs takes seconds of CPU, of which a busy machine has few.
vi.setConfig({ testTimeout: 60_000 })

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

interface Row {
  readonly calls: number
  readonly cost_usd: string
  readonly estimated: number
}

/** The lines under a heading, up to the next empty one. */
function section({ stdout }: Finished, heading: string): string[] {
  const lines = stdout.split('\n')
  const from = lines.indexOf(heading) + 1
  return lines.slice(from, lines.indexOf('', from))
}

describe('all three SDKs', () => {
  test('every scene, the report, and a bill that agrees', async () => {
    const cwd = folder()
    const finished = await run(cwd, ['demo'])
    const { exitCode, stdout, stderr } = finished
    expect([exitCode, stderr]).toEqual([0, ''])
    for (const line of stdout.split('\n')) expect(widthOf(line), line).toBeLessThanOrEqual(80)
    expect(stdout).toMatch(/^patched {2}openai \d+\.\S+, @anthropic-ai\/sdk \d+\.\S+, @google\/genai \d+\.\S+$/m)

    // A limit that held: two answers of 1.8 cents under 5 cents, and a third that was never sent.
    expect(stdout).toContain('Call 3 is refused before it is sent: a LimitExceededError')
    expect(stdout).toContain('"You have used $0.0360 of your $0.05 for today.')
    expect(stdout).toMatch(/^ +claude-sonnet-5-5, 3 attempts +2,260 in +530 out \$0\.009820$/m)
    expect(stdout).toMatch(/^ +gpt-6-sol, streamed, broken off .*~$/m)

    // The provider counted and priced by itself: what stands in the ledger on the disk is what it charged.
    expect(stdout).toContain('All 7 whole answers agree to the last digit: $0.0916.')
    expect(stdout).toContain("The ledger and the provider's bill agree to the cent.")
    const dir = join(cwd, '.tallygate/demo')
    const { rows, total, limits } = JSON.parse(
      (await run(cwd, ['report', '--dir', dir, '--json', '--by', 'provider'])).stdout,
    ) as {
      rows: (Row & { provider: string })[]
      total: Row
      limits: unknown[]
    }
    const bill = new Map(
      section(finished, "Beside the provider's own bill").map((line) => {
        const [name = '', calls, , billed = ''] = line.split(/ {2,}/)
        return [name, { calls: Number(calls), usd: billed }]
      }),
    )
    for (const { provider, calls, cost_usd, estimated } of rows) {
      if (estimated > 0) continue
      expect([calls, roundedTo(6, parseUsd(cost_usd)!)], provider).toEqual([
        bill.get(provider)?.calls,
        bill.get(provider)?.usd,
      ])
    }
    expect(rows.map(({ provider }) => provider).sort()).toEqual(['anthropic', 'google', 'openai'])
    expect(total).toMatchObject({ calls: 8, estimated: 1 })
    expect(limits).toMatchObject([{ tenant: 'harbor-books', limit_usd: '0.05', spent_usd: '0.0360105' }])
  })

  test('nothing of whoever runs it is used, no key, endpoint or sample rate, and an earlier demo is replaced', async () => {
    const cwd = folder()
    const earlier = new Meter({ dir: join(cwd, 'here/demo') })
    earlier.trackManually({ provider: 'openai', model: 'gpt-6-sol', inputTokens: 1, tenantId: 'earlier' })
    await earlier.close()
    const elsewhere = 'http://127.0.0.1:9/nowhere'
    const { exitCode, stderr, stdout } = await run(cwd, ['demo', '--dir', join(cwd, 'here')], {
      TALLYGATE_URL: `${elsewhere}/v1/ingest`,
      TALLYGATE_API_KEY: 'k',
      TALLYGATE_SAMPLE_RATE: '0',
      OPENAI_BASE_URL: elsewhere,
      ANTHROPIC_BASE_URL: elsewhere,
      GOOGLE_API_KEY: 'a',
      GEMINI_API_KEY: 'b',
      GOOGLE_GENAI_USE_VERTEXAI: 'true',
    })
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toContain('agree to the cent')
    const report = await run(cwd, ['report', '--dir', join(cwd, 'here/demo'), '--json'])
    expect(JSON.parse(report.stdout)).toMatchObject({ total: { calls: 8 } })
  })
})

/** An application with this package and its dependencies, and of the SDKs only those named. */
async function application(...sdks: string[]): Promise<{ cwd: string; main: string }> {
  const cwd = folder()
  const modules = join(cwd, 'node_modules')
  for (const scope of ['@anthropic-ai', '@google']) mkdirSync(join(modules, scope), { recursive: true })
  for (const name of ['zod', 'undici', 'js-tiktoken', 'base64-js', ...sdks])
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  for (const part of ['dist', 'package.json'])
    await cp(join(root, part), join(modules, 'tallygate', part), { recursive: true })
  return { cwd, main: join(modules, 'tallygate/dist/cli/main.js') }
}

const OTHERS = ['openai', '@anthropic-ai/sdk', '@google/genai']

describe('an application without some of them', () => {
  test.each(OTHERS)('only %s plays all the parts', async (sdk) => {
    const { cwd, main } = await application(sdk)
    const { exitCode, stdout, stderr } = await run(cwd, ['demo'], {}, main)
    expect([exitCode, stderr]).toEqual([0, ''])
    for (const other of OTHERS)
      expect(stdout.includes(`${other} is not here: \`npm install ${other}\` adds it.`)).toBe(other !== sdk)
    expect(stdout).toContain('a LimitExceededError')
    expect(stdout).toContain('All 7 whole answers agree to the last digit')
  })

  test('none of them is a failure, and says what to install', async () => {
    const { cwd, main } = await application()
    const { exitCode, stdout, stderr } = await run(cwd, ['demo'], {}, main)
    expect([exitCode, stderr]).toEqual([1, 'The demo needs at least one of them: install it and try again.\n'])
    for (const sdk of OTHERS) expect(stdout).toContain(`npm install ${sdk}`)
  })
})

test('where a ledger cannot be, it says so and goes on in memory', async () => {
  const cwd = folder()
  const { exitCode, stdout } = await run(cwd, ['demo', '--dir', '/dev/null'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain('/dev/null/demo cannot be written to (ENOTDIR). The demo goes on in memory.')
  expect(stdout).toContain('agree to the cent')
})
