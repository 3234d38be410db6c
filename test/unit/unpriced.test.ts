// What is said of calls without a price: the very thing that has none, and of which model.

import { expect, onTestFinished, test } from 'vitest'
import { gapOf } from '../../src/call/record.ts'
import { unpricedName, unpricedProblem } from '../../src/meter/unpriced.ts'
import { Meter } from '../../src/meter.ts'
import { lazyBook } from '../../src/pricing/lazy-book.ts'
import { createProblems } from '../../src/problems.ts'
import { memorySink } from '../../src/sinks/memory.ts'

interface Told {
  readonly said: readonly string[]
  readonly unpriced: Readonly<Record<string, number>>
}

async function told(...calls: readonly object[]): Promise<Told> {
  const said: string[] = []
  const meter = new Meter({ sinks: [memorySink()], onProblem: ({ message }) => said.push(message) })
  onTestFinished(() => meter.close())
  for (const call of calls) meter.trackManually({ provider: 'openai', model: 'gpt-4o', tenantId: 'acme', ...call })
  await meter.flush()
  return { said, unpriced: meter.stats().unpriced }
}

const tokens = { inputTokens: 10, outputTokens: 5 }

test('a model that nobody knows is named', async () => {
  const { said, unpriced } = await told({ model: 'gpt-99', ...tokens }, { model: 'gpt-99', ...tokens })
  expect(said).toEqual(['No price is known for model "gpt-99" of openai: its calls are recorded without a cost.'])
  expect(unpriced).toEqual({ 'openai gpt-99': 2 })
})

test('when only the tier has no price, I am told of the tier, not that the model has none', async () => {
  const call = { ...tokens, serviceTier: 'ultrafast' }
  const { said, unpriced } = await told(call, call, tokens)
  expect(said).toEqual([
    'The price book has no "ultrafast" prices for "gpt-4o" of "openai". Such calls are recorded without a cost.',
  ])
  expect(unpriced).toEqual({ 'openai gpt-4o unknown-tier:ultrafast': 2 })
})

test('when only a bucket has no price, I am told of the bucket; each such thing of a model once', async () => {
  const { said, unpriced } = await told(
    { usage: { 'input.text': 10, 'output.video': 5 } },
    { usage: { 'output.video': 7 } },
    { ...tokens, serviceTier: 'ultrafast' },
  )
  expect(said).toEqual([
    'The price book has no price for "output.video" of "gpt-4o" of "openai". Such calls are recorded without a cost.',
    'The price book has no "ultrafast" prices for "gpt-4o" of "openai". Such calls are recorded without a cost.',
  ])
  expect(unpriced).toEqual({
    'openai gpt-4o unknown-bucket:output.video': 2,
    'openai gpt-4o unknown-tier:ultrafast': 1,
  })
})

test('of a call in which two models had a part, the one without a price is named', async () => {
  const book = await lazyBook(createProblems({ raiseOnError: true })).load()
  const query = { provider: 'anthropic', model: 'claude-sonnet-4-6', at: Date.UTC(2026, 10, 22) }
  const others = [{ model: 'claude-99', usage: { 'input.text': 5 } }]
  const gap = gapOf(book, { 'input.text': 10 }, { others }, query)
  expect(unpricedName('anthropic', query.model, gap)).toBe('anthropic claude-99')
  expect(unpricedProblem('anthropic', query.model, gap).message).toMatch(/^No price is known for model "claude-99" of/)
})
