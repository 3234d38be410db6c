// A call that no patch sees is priced, counted against limits and delivered like any other.

import { LimitExceededError, type ManualCall } from 'tallygate'
import { describe, expect, test, vi } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

const call: ManualCall = { provider: 'openai', model: 'gpt-4o', inputTokens: 1000, outputTokens: 1000 }

describe('trackManually', () => {
  test('is priced, delivered and counted like a patched call', async () => {
    await using app = await metered({ appName: 'shop' })
    app.emulator.reply({ inputTokens: 1000, outputTokens: 1000 })
    await app.meter.forTenant('acme', { feature: 'search' }, async () => {
      await app.chat()
      app.meter.trackManually(call)
    })
    const [patched, manual] = await app.events()
    const { usage, costUsd, costLines, costSource, priceVersion, tenantId, feature, appName } = patched!
    expect(manual).toMatchObject({ usage, costUsd, costLines, costSource, priceVersion, tenantId, feature, appName })
    expect(manual).toMatchObject({ endpoint: 'manual', usageSource: 'reported', costUsd: '0.0125' })
    expect(app.meter.stats()).toMatchObject({ calls: 2, errors: 0 })
    expect(app.problems).toEqual([])
  })

  test('counts against the tenant’s limit, and the next patched call is refused', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: 0.02 })
    app.meter.trackManually({ ...call, tenantId: 'acme' })
    app.meter.trackManually({ ...call, tenantId: 'acme' })
    await app.meter.flush()
    expect(await app.meter.limits('acme')).toMatchObject([{ spentUsd: '0.025', remainingUsd: '0' }])
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
    // Reported by hand, it has happened already: nobody is refused.
    app.meter.trackManually({ ...call, tenantId: 'acme' })
    expect(await app.events()).toHaveLength(3)
  })

  test('counts in the window that it was made in', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: 1, per: 'hour' })
    await app.meter.setLimit('acme', { usd: 1, per: 'total' })
    await app.meter.limits('acme')
    const timestamp = new Date(Date.now() - 3 * 3_600_000)
    app.meter.trackManually({ ...call, tenantId: 'acme', timestamp })
    await app.meter.flush()
    expect(await app.meter.limits('acme')).toMatchObject([
      { window: 'hour', spentUsd: '0' },
      { window: 'total', spentUsd: '0.0125' },
    ])
    expect(await app.events()).toMatchObject([{ timestamp: timestamp.toISOString() }])
  })

  test('takes the object as it is now, whatever becomes of it', async () => {
    await using app = await metered()
    const mutable = { ...call, tags: { step: 1 } }
    app.meter.trackManually(mutable)
    mutable.inputTokens = 5
    mutable.tags.step = 2
    app.meter.trackManually(mutable)
    expect(await app.events()).toMatchObject([
      { inputTokens: 1000, tags: { step: 1 } },
      { inputTokens: 5, tags: { step: 2 } },
    ])
  })

  test('belongs to who is paying when it is called', async () => {
    await using app = await metered()
    app.meter.forTenant('acme', { tags: { plan: 'pro' } }, () => app.meter.trackManually(call))
    app.meter.forTenant('acme', () => app.meter.trackManually({ ...call, tenantId: 'globex' }))
    app.meter.trackManually(call)
    const events = await app.events()
    expect(events.map(({ tenantId }) => tenantId)).toEqual(['acme', 'globex', undefined])
    expect(events[0]).toMatchObject({ tags: { plan: 'pro' } })
  })

  test('a model without a price is counted and told of once', async () => {
    await using app = await metered()
    const unknown = { provider: 'acme-llm', model: 'one', inputTokens: 5 }
    app.meter.trackManually(unknown)
    app.meter.trackManually(unknown)
    expect(await app.events()).toMatchObject([{ costSource: 'unpriced' }, { costSource: 'unpriced' }])
    expect(app.meter.stats().unpriced).toEqual({ 'acme-llm one': 2 })
    expect(app.problems).toMatchObject([{ kind: 'price', message: expect.stringContaining('"one" of acme-llm') }])
  })

  test('fields that no event has are passed over, with one line where `debug` is on', async () => {
    const lines: string[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      lines.push(String(text))
      return true
    })
    try {
      await using app = await metered({ debug: true })
      app.meter.trackManually({ ...call, prompt: 'a secret', tokens: 5 } as ManualCall)
      const [event] = await app.events()
      expect(event).not.toHaveProperty('prompt')
      expect(lines[0]).toBe('tallygate trackManually: ignored `prompt`, `tokens`\n')
      expect(lines).toHaveLength(2)
      expect(lines.join()).not.toContain('secret')
      expect(app.problems).toEqual([])
    } finally {
      write.mockRestore()
    }
  })

  test.each([undefined, null, 5, 'call', { provider: 7 }, { ...call, inputTokens: 'many' }])(
    'never throws, and keeps what can be understood: %o',
    async (bad) => {
      await using app = await metered()
      app.meter.trackManually(bad as unknown as ManualCall)
      const [event] = await app.events()
      expect(event!.usageFlags!.length).toBeGreaterThan(0)
      expect(app.problems.length).toBeGreaterThan(0)
      expect(app.meter.stats()).toMatchObject({ calls: 1, flagged: 1 })
    },
  )

  test('an id of your own makes a repeated report count once, in the ledger and against the limit', async () => {
    using folder = temporaryFolder()
    await using app = await metered({ dir: folder.path })
    const mine = { ...call, eventId: 'invoice-7', tenantId: 'acme' }
    await app.meter.setLimit('acme', { usd: 1 })
    app.meter.trackManually(mine)
    await app.meter.flush()
    app.meter.trackManually(mine)
    await app.meter.flush()
    expect(app.meter.stats().delivery).toMatchObject({ delivered: 1, rejected: 0 })
    expect(await app.meter.limits('acme')).toMatchObject([{ spentUsd: '0.0125' }])
    await app.meter.close()
    await using again = await metered({ dir: folder.path })
    expect(await again.meter.limits('acme')).toMatchObject([{ spentUsd: '0.0125' }])
  })
})
