// Prices of one's own, a markup, calls without a known price, and pricing again: from an application to the command line.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LimitExceededError, Meter } from 'tallygate'
import { describe, expect, onTestFinished, test } from 'vitest'
import { run } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

const PRICES = {
  prices: [
    { provider: 'house', model: 'house-1', rates: { input: '1', output: '4' } },
    { provider: 'openai', model: 'gpt-4o', tenantId: 'acme', multiply: '0.5' },
  ],
}

describe('prices of your own', () => {
  test('in a file that is no good end the start of the application, with the line', () => {
    const path = join(folder(), 'prices.json')
    writeFileSync(path, '{\n  "prices": [\n    { "multiply": "a tenth" }\n  ]\n}')
    expect(() => new Meter({ prices: path })).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', message: expect.stringContaining(`${path}:3:19: Expected`) }),
    )
  })

  test('go before those of the book, for the tenant they were agreed for; the markup stands beside the cost', async () => {
    await using app = await metered({
      prices: PRICES,
      markup: [{ tenantId: 'acme', multiply: '1.2', perCallUsd: '0.001' }],
    })
    app.emulator.reply({ inputTokens: 1000, outputTokens: 100, times: 2 })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.forTenant('globex', () => app.chat())
    app.meter.trackManually({
      provider: 'house',
      model: 'house-1',
      inputTokens: 1000,
      outputTokens: 1000,
      tenantId: 'acme',
    })
    const [acme, globex, house] = await app.events()
    expect(acme).toMatchObject({ costUsd: '0.00175', resaleUsd: '0.0031', costSource: 'priced' })
    expect(acme!.priceVersion).toMatch(/\+own-[0-9a-f]{8}$/)
    expect(globex).toMatchObject({ costUsd: '0.0035' })
    expect(globex).not.toHaveProperty('resaleUsd')
    expect(house).toMatchObject({ costUsd: '0.005', resaleUsd: '0.007' })
  })
})

describe('a call whose price nobody knows', () => {
  test('is recorded without a cost and with the reason, and told of once', async () => {
    await using app = await metered()
    await app.meter.forTenant('acme', () => app.chat('no-such-model'))
    await app.meter.forTenant('acme', () => app.chat('no-such-model'))
    const events = await app.events()
    expect(events).toHaveLength(2)
    for (const event of events) {
      expect(event).toMatchObject({ costSource: 'unpriced', metadata: { unpriced: 'unknown-model' } })
      expect(event).not.toHaveProperty('costUsd')
    }
    expect(app.problems.filter(({ kind }) => kind === 'price')).toHaveLength(1)
    expect(app.meter.stats().unpriced).toEqual({ 'openai no-such-model': 2 })
  })

  const refused = (code: string) =>
    expect.objectContaining({ code, status: 402, provider: 'openai', model: 'no-such-model' })

  test('is refused before anything is sent under a hard limit, in the clothes of the SDK', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: 50, mode: 'hard' })
    const call = app.meter.forTenant('acme', () => app.chat('no-such-model'))
    await expect(call).rejects.toThrow(refused('UNKNOWN_PRICE'))
    const error = await call.catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(LimitExceededError)
    expect(error).toMatchObject({ tenantId: 'acme', limitUsd: '50', window: 'month' })
    expect(app.emulator.requests).toHaveLength(0)
    expect(app.meter.stats().refused).toBe(1)
    await app.meter.forTenant('acme', () => app.chat())
    expect(await app.events()).toHaveLength(1)
  })

  test("with 'deny', is refused for everybody, and with 'warn' for nobody", async () => {
    await using strict = await metered({ unknownPrice: 'deny', onMissingTenant: 'record' })
    await expect(strict.meter.forTenant('acme', () => strict.chat('no-such-model'))).rejects.toThrow(
      refused('UNKNOWN_PRICE'),
    )
    await expect(strict.chat('no-such-model')).rejects.toThrow(refused('UNKNOWN_PRICE'))
    await strict.chat()
    expect(strict.emulator.requests).toHaveLength(1)
    await strict.meter.close()

    await using open = await metered({ unknownPrice: 'warn' })
    await open.meter.setLimit('acme', { usd: 50, mode: 'hard' })
    await open.meter.forTenant('acme', () => open.chat('no-such-model'))
    expect(open.emulator.requests).toHaveLength(1)
  })

  test('holds its tokens at a rate of your own', async () => {
    await using app = await metered({ unknownPrice: { ceilingUsdPerMTok: 1000 } })
    await app.meter.setLimit('acme', { usd: '0.5', mode: 'hard' })
    const call = app.meter.forTenant('acme', () => app.chat('no-such-model'))
    await expect(call).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await app.meter.setLimit('acme', { usd: 50, mode: 'hard' })
    await app.meter.forTenant('acme', () => app.chat('no-such-model'))
    expect(await app.meter.limits('acme')).toMatchObject([{ spentUsd: '0', heldUsd: '0' }])
  })
})

describe('pricing again on the command line', () => {
  test('shows first, writes when told to, and keeps what calls cost before', async () => {
    const dir = folder()
    const path = join(dir, 'prices.json')
    writeFileSync(path, JSON.stringify(PRICES))
    const meter = new Meter({ dir, onProblem: () => undefined })
    const call = { inputTokens: 1000, outputTokens: 100, tenantId: 'acme' }
    meter.trackManually({ ...call, provider: 'house', model: 'house-1' })
    meter.trackManually({ ...call, provider: 'openai', model: 'gpt-4o' })
    meter.trackManually({ ...call, provider: 'openai', model: 'gpt-4o', costUsd: '0.07' })
    await meter.close()
    const command = ['reprice', '--since', '1d', '--prices', path, '--dir', dir]

    const needed = await run(dir, ['reprice', '--dir', dir])
    expect([needed.exitCode, needed.stderr]).toEqual([
      2,
      '`reprice` needs `--since <moment>`: from when on calls are priced again.\n',
    ])

    const dry = await run(dir, command)
    expect([dry.exitCode, dry.stderr]).toEqual([0, ''])
    expect(dry.stdout.split('\n').slice(2).join('\n')).toBe(`\
model          calls  changed     before      after  difference
openai/gpt-4o      2        1  $0.073500  $0.071750  -$0.001750
house/house-1      1        1    unknown  $0.001400  +$0.001400
total              3        2  $0.073500  $0.073150  -$0.000350
1 of them cost what their provider reported.

Nothing was written: \`--apply\` does that.
`)
    const json = JSON.parse((await run(dir, [...command, '--apply', '--json'])).stdout) as Record<string, unknown>
    expect(json).toMatchObject({
      applied: true,
      total: { calls: 3, changed: 2, newly_priced: 1, before_usd: '0.0735', after_usd: '0.07315' },
      kept: { reported: 1, unpriced: 0 },
    })
    const report = JSON.parse((await run(dir, ['report', '--dir', dir, '--json'])).stdout) as { total: object }
    expect(report.total).toMatchObject({ cost_usd: '0.07315', unpriced: 0 })
    const again = await run(dir, [...command, '--apply'])
    expect(again.stdout).toContain('Nothing has changed.')
    using db = new DatabaseSync(join(dir, 'ledger.db'), { readOnly: true })
    expect(
      db.prepare('SELECT from_cost, from_source, to_cost, to_source FROM repricings ORDER BY to_cost').all(),
    ).toEqual([
      { from_cost: null, from_source: 'unpriced', to_cost: 1_400_000_000, to_source: 'priced' },
      { from_cost: 3_500_000_000, from_source: 'priced', to_cost: 1_750_000_000, to_source: 'priced' },
    ])
  })

  test('a model is looked up with its source, another file is compared, and a build fails on a model without a price', async () => {
    const dir = folder()
    const path = join(dir, 'prices.json')
    writeFileSync(path, JSON.stringify(PRICES))
    const found = await run(dir, ['prices', 'openai/gpt-4o'])
    expect(found.exitCode).toBe(0)
    expect(found.stdout).toMatch(/^Price book genai-prices-.+, last read on 2026-\d\d-\d\d, /)
    expect(found.stdout).toMatch(/ {2}standard.*\n {4}input\.text +\$2\.5 per 1,000,000\n/)
    expect(found.stdout).toMatch(/https:\/\/\S+, read 2026-\d\d-\d\d/)
    expect((await run(dir, ['prices', 'no-such-model'])).exitCode).toBe(1)

    const compared = await run(dir, ['prices', '--diff', path, '--tenant', 'acme'])
    expect(compared.stdout).toContain('openai/gpt-4o  input.text  $2.5 -> $1.25 per 1,000,000')

    writeFileSync(join(dir, 'models.txt'), 'openai/gpt-4o\nopenai/no-such-model # new\n')
    const gate = await run(dir, ['prices', '--check', 'models.txt'])
    expect([gate.exitCode, gate.stdout]).toEqual([
      1,
      'openai/no-such-model: no known price\n1 of 2 models have a price.\n',
    ])
    expect((await run(dir, ['prices', '--check', path])).exitCode).toBe(0)

    const two = await run(dir, ['prices', 'a', 'b'])
    expect([two.exitCode, two.stderr]).toEqual([2, '`prices` takes one model, got "b" besides.\n'])
  })
})
