// What is filled in where a provider has not said what was used, and how sure of it we are.

import { describe, expect, test } from 'vitest'
import { fillUsage, fillUsageAtOnce } from '../../src/call/missing-usage.ts'
import { doubtsOf, flagsOf, type Seen, sourceOf } from '../../src/call/outcome.ts'
import type { FinishedCall } from '../../src/call/record.ts'
import type { Cost } from '../../src/pricing/price.ts'
import { tokenTotals, type Usage, type UsageSource } from '../../src/usage.ts'

const TEN_WORDS = ' word'.repeat(10)

function finished(usage: Usage | undefined, rest: Partial<FinishedCall> = {}): FinishedCall {
  return {
    payer: { tenantId: 'acme', attribution: {} },
    provider: 'openai',
    host: 'api.openai.com',
    endpoint: 'chat.completions',
    facts: { model: 'gpt-4o', stream: true },
    reading: {},
    usage,
    usageSource: 'partial',
    usageBounds: undefined,
    flags: undefined,
    attempts: [],
    requestId: undefined,
    status: 200,
    error: undefined,
    errorCode: undefined,
    streamEnd: undefined,
    at: 0,
    durationMs: 1,
    timeToFirstTokenMs: undefined,
    ...rest,
  }
}

const evidence = { prompt: [TEN_WORDS], generated: [TEN_WORDS], isUnseen: false, usualOutput: 500 }

describe('fillUsage', () => {
  test('nothing was said: both sides are counted', async () => {
    const { usage, usageBounds } = await fillUsage(finished(undefined), evidence)
    expect(usage).toEqual({ 'input.text': 10, 'output.text': 10 })
    expect(usageBounds).toEqual({ inputTokens: [8, 60], outputTokens: [8, 60] })
  })

  test('the input was said: it stands, whatever its buckets, and the output is counted', async () => {
    const said: Usage = { 'input.text': 3, 'input.text.cache_read': 4000 }
    const { usage, usageBounds } = await fillUsage(finished(said, { streamEnd: 'interrupted' }), evidence)
    expect(usage).toEqual({ ...said, 'output.text': 10 })
    expect(usageBounds).toEqual({ inputTokens: [4003, 4003], outputTokens: [8, 5000] })
  })

  test('a running total was said: what may have come after it is in the bounds', async () => {
    const said: Usage = { 'input.text': 24, 'output.text': 7, 'output.reasoning': 30 }
    const cut = await fillUsage(finished(said, { streamEnd: 'stopped' }), evidence)
    expect(cut.usage).toEqual(said)
    expect(cut.usageBounds).toEqual({ inputTokens: [24, 24], outputTokens: [37, 5000] })
    const facts = { model: 'gemini', stream: true, maxOutputTokens: 100 }
    const capped = await fillUsage(finished(said, { streamEnd: 'stopped', facts }), evidence)
    expect(capped.usageBounds?.outputTokens).toEqual([37, 100])
  })

  test('a count beside one that cannot be is a lower bound', async () => {
    const reading = { flags: ['negative:cache_read_input_tokens'] }
    const { usage, usageBounds } = await fillUsage(
      finished({ 'input.text': 3, 'output.text': 900 }, { reading }),
      evidence,
    )
    expect(usage).toEqual({ 'input.text': 10, 'output.text': 900 })
    expect(usageBounds).toEqual({ inputTokens: [8, 60], outputTokens: [900, 900] })
  })

  test('nobody saw the answer: it is as long as usual, and no longer than asked for', async () => {
    const unseen = { ...evidence, generated: [], isUnseen: true }
    expect((await fillUsage(finished(undefined), unseen)).usage?.['output.text']).toBe(500)
    const facts = { model: 'gpt-4o', stream: true, maxOutputTokens: 20 }
    const capped = await fillUsage(finished(undefined, { facts }), unseen)
    expect(capped.usage?.['output.text']).toBe(20)
    expect(capped.usageBounds?.outputTokens).toEqual([0, 20])
  })

  test('an endpoint without output has none, however long its answer', async () => {
    const facts = { model: 'text-embedding-3-small', stream: false, maxOutputTokens: 0 }
    const { usage, usageBounds } = await fillUsage(finished(undefined, { facts }), evidence)
    expect(usage).toEqual({ 'input.text': 10 })
    expect(usageBounds?.outputTokens).toEqual([0, 0])
  })

  test('a fee that was said stays', async () => {
    const { usage } = await fillUsage(finished({ 'fee.web_search': 2 }), evidence)
    expect(usage).toEqual({ 'fee.web_search': 2, 'input.text': 10, 'output.text': 10 })
  })

  test('at once, what was said stands, and what is guessed from characters has wide bounds', () => {
    const { usage, usageBounds } = fillUsageAtOnce(finished(undefined), evidence)
    expect(usage).toEqual({ 'input.text': 13, 'output.text': 13 })
    expect(usageBounds).toEqual({ inputTokens: [0, 100], outputTokens: [0, 100] })
    const said: Usage = { 'input.text': 3, 'input.text.cache_read': 4000 }
    const cut = fillUsageAtOnce(finished(said, { streamEnd: 'interrupted' }), evidence)
    expect(cut.usage).toEqual({ ...said, 'output.text': 13 })
    expect(cut.usageBounds).toEqual({ inputTokens: [4003, 4003], outputTokens: [0, 5000] })
    const unseen = fillUsageAtOnce(finished(said), { ...evidence, isUnseen: true })
    expect(unseen.usage).toEqual({ ...said, 'output.text': 500 })
  })

  test('what is used lies within its bounds', async () => {
    for (const said of [undefined, { 'input.text': 5 }, { 'output.text': 5 }, { 'input.text': 5, 'output.text': 5 }]) {
      const { usage, usageBounds } = await fillUsage(finished(said), evidence)
      const { inputTokens, outputTokens } = tokenTotals(usage!)
      expect(inputTokens).toBeGreaterThanOrEqual(usageBounds!.inputTokens[0])
      expect(inputTokens).toBeLessThanOrEqual(usageBounds!.inputTokens[1])
      expect(outputTokens).toBeGreaterThanOrEqual(usageBounds!.outputTokens[0])
      expect(outputTokens).toBeLessThanOrEqual(usageBounds!.outputTokens[1])
    }
  })
})

const usage: Usage = { 'input.text': 1 }
const answered: Seen = { how: 'complete', reading: {}, isAnswered: true, isMalformed: false, hasContent: true }

test.each<[string, Partial<Seen>, string, readonly string[] | undefined]>([
  ['no answer', { isAnswered: false, how: 'failed' }, 'absent', undefined],
  ['a whole answer', { reading: { usage } }, 'reported', undefined],
  ['one with numbers that cannot be', { reading: { usage, flags: ['sum:x'] } }, 'reported', ['sum:x']],
  ['one with a count missing', { reading: { usage, isPartial: true } }, 'partial', undefined],
  ['one without usage', {}, 'estimated', ['missing:usage']],
  ['one whose usage comes later', { reading: { job: { id: 'resp_1', state: 'open' } } }, 'estimated', undefined],
  ['one that says it failed', { reading: { error: 'server_error' } }, 'estimated', undefined],
  ['one without content', { hasContent: false }, 'absent', ['empty']],
  ['one that is no answer', { hasContent: false, isMalformed: true }, 'absent', ['malformed']],
  ['a stream with a broken event', { isMalformed: true, how: 'failed' }, 'estimated', ['malformed']],
  ['a stream that broke off', { how: 'failed' }, 'estimated', undefined],
  ['one that broke off before its first event', { how: 'failed', hasContent: false }, 'estimated', undefined],
  ['one that had said a part', { how: 'failed', reading: { usage } }, 'partial', undefined],
  ['one that was over', { how: 'stopped', reading: { usage, finishReason: 'stop' } }, 'reported', undefined],
  ['one that nobody read', { how: 'unread', hasContent: false }, 'estimated', undefined],
])('of %s', (_, seen, source, flags) => {
  expect(sourceOf({ ...answered, ...seen })).toBe(source)
  expect(flagsOf({ ...answered, ...seen }, false)).toEqual(flags)
})

test('an endpoint that may leave usage out is not blamed for it', () => {
  expect(sourceOf(answered)).toBe('estimated')
  expect(flagsOf(answered, true)).toBeUndefined()
})

const priced: Cost = { pico: 1n, source: 'priced', lines: [] }

test('each kind of doubt is one sentence', () => {
  const sentences = (flags: readonly string[]) =>
    doubtsOf(finished(usage, { usageSource: 'reported', flags, reading: { flags } }), priced)
  expect(sentences([])).toEqual([])
  expect(sentences(['negative:prompt_tokens', 'sum:total_tokens'])).toEqual([
    'openai reported usage that cannot be right (negative:prompt_tokens, sum:total_tokens): it is billed at the dearest reading.',
  ])
  expect(doubtsOf(finished(undefined, { flags: ['missing:usage'] }), undefined)).toEqual([
    'openai gave an answer without usage: what it used is estimated.',
  ])
  expect(doubtsOf(finished(undefined, { flags: ['malformed'] }), undefined)).toEqual([])
})

test.each<[what: string, usage: Usage, source: UsageSource, cost: Cost | undefined, says: string]>([
  ['was billed as it stands', usage, 'reported', priced, 'it is billed at the dearest reading'],
  ['was estimated', usage, 'partial', priced, 'what it used is estimated, and billed by that'],
  ['had nothing to be billed', {}, 'reported', priced, 'nothing is billed for it'],
  ['has no price', usage, 'reported', undefined, 'it has no price either, and is recorded without a cost'],
  [
    'came with a charge',
    usage,
    'reported',
    { ...priced, source: 'reported' },
    'what it charges is billed all the same',
  ],
])('a doubt about usage that %s says so', (_, used, usageSource, cost, says) => {
  const flags = ['negative:prompt_tokens']
  expect(doubtsOf(finished(used, { usageSource, flags, reading: { flags } }), cost)).toEqual([
    `openai reported usage that cannot be right (negative:prompt_tokens): ${says}.`,
  ])
})

test('a charge that is no amount is told of as one', () => {
  const flags = ['not-a-count:costUsd']
  expect(doubtsOf(finished(usage, { usageSource: 'reported', flags, reading: { flags } }), priced)).toEqual([
    'openai reported a charge that cannot be right (not-a-count:costUsd): it is billed by the price book.',
  ])
})
