// What an audit and a comparison ask of a ledger is the same in every database.

import { afterAll, describe, expect, test } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import { compareModels } from '../../src/audit/compare.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { event, LEDGERS, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const KEPT = {
  countedOutputTokens: 70,
  outputTokenizer: 'js-tiktoken@1.0.21/o200k_base',
  inputHashes: ['1024:9f86d081884c7d659a2feaa0', '4096:60303ae22b998861bce3b28f'],
  outputHash: 'fd61a03af4f77d870fc21e05',
}

describe.each(Object.entries(LEDGERS))('a ledger in %s', (_, { book: open }) => {
  test('gives back what was kept of a text, and is audited and compared by it', async () => {
    const prices = await loadPriceBook()
    await using book = await open()
    const usage = { 'input.text': 1000, 'output.text': 100 }
    const one = event({ usage, inputTokens: 1000, outputTokens: 100, costUsd: '0.0035', ...KEPT })
    await book.put(one, event({ usage, inputTokens: 1000, outputTokens: 100, costUsd: '0.0035' }))
    await using views = book.views()
    const { events } = await views.events()
    expect(events.find(({ eventId }) => eventId === one.eventId)).toEqual(one)
    const auditing = createAudit({ book: prices })
    for (const kept of events) await auditing.add({ event: kept })
    const { findings, byLabel } = auditing.report()
    expect(findings).toEqual([expect.objectContaining({ kind: 'output-above', billed: 100, low: 70, high: 70 })])
    expect(byLabel).toEqual({ EXACT: 1_000_000_000n, BOUNDED: 0n, UNVERIFIABLE: 6_000_000_000n })
    const { targets } = compareModels(events, prices, { to: ['gpt-4o-mini'] })
    expect(targets[0]!.total).toMatchObject({ calls: 2, cost: 7_000_000_000n, there: 420_000_000n })
  })
})
