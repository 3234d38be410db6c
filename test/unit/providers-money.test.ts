// Where a provider's numbers cannot all be right, no consistent reading of them may cost more than what we bill.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMessageUsage } from '../../src/providers/anthropic-usage.ts'
import { readUsageMetadata } from '../../src/providers/google-usage.ts'
import { readCompletionUsage, readResponseUsage } from '../../src/providers/openai-usage.ts'
import { type Bucket, tokenTotals, type Usage } from '../../src/usage.ts'

/** Rates with the order that all published ones have: reads below text, writes above it, audio far above. */
const RATES: Readonly<Partial<Record<Bucket, number>>> = {
  'input.text': 20,
  'input.text.cache_read': 2,
  'input.text.cache_write': 25,
  'input.text.cache_write_5m': 25,
  'input.text.cache_write_30m': 25,
  'input.text.cache_write_1h': 40,
  'input.text.cache_write_12h': 50,
  'input.text.tool_use': 20,
  'input.image': 20,
  'input.image.cache_read': 2,
  'input.video': 20,
  'input.video.cache_read': 2,
  'input.audio': 300,
  'input.audio.cache_read': 30,
  'output.text': 100,
  'output.reasoning': 100,
  'output.image': 300,
  'output.audio': 600,
  'output.video': 600,
}

function cost(usage: Usage): number {
  return Object.entries(usage).reduce((sum, [bucket, quantity]) => sum + quantity * RATES[bucket as Bucket]!, 0)
}

const tokens = fc.nat(200)
const part = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: tokens })

describe('OpenAI, chat', () => {
  const numbers = fc.record({
    prompt: tokens,
    completion: tokens,
    total: fc.nat(600),
    cached: part,
    write: part,
    audio: part,
    reasoning: part,
    spoken: part,
  })
  type Numbers = typeof numbers extends fc.Arbitrary<infer N> ? N : never

  const wire = ({ prompt, completion, total, cached, write, audio, reasoning, spoken }: Numbers) => ({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: total,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: write, audio_tokens: audio },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: spoken },
  })

  test('the parts are right and the whole is wrong, or the other way round: neither costs more', () => {
    fc.assert(
      fc.property(numbers, (n) => {
        const { usage = {}, flags = [] } = readCompletionUsage(wire(n))
        const isInputOff = n.cached + n.write > n.prompt || n.audio > n.prompt
        expect(flags.includes('subset:prompt_tokens')).toBe(isInputOff)
        if (isInputOff) {
          const parts = { 'input.text.cache_read': n.cached, 'input.text.cache_write': n.write, 'input.audio': n.audio }
          const sure = { 'input.text': Math.max(0, n.prompt - n.write - n.audio) }
          const most = Math.max(cost(parts), cost({ ...sure, 'input.text.cache_write': Math.min(n.write, n.prompt) }))
          expect(cost(usage)).toBeGreaterThanOrEqual(most)
        }
        const isOutputOff = flags.includes('subset:completion_tokens')
        if (isOutputOff)
          expect(cost(usage)).toBeGreaterThanOrEqual(
            cost({ 'output.reasoning': n.reasoning, 'output.audio': n.spoken }),
          )
        // A total that knows of more tokens than the parts: at least as many are billed.
        const { totalTokens, inputTokens, outputTokens } = tokenTotals(usage)
        expect(totalTokens).toBeGreaterThanOrEqual(n.total)
        expect(inputTokens).toBeGreaterThanOrEqual(n.prompt)
        expect(outputTokens).toBeGreaterThanOrEqual(n.completion)
      }),
      { numRuns: 1000 },
    )
  })

  test('consistent numbers come back as they were, and are not flagged', () => {
    const consistent = numbers
      .map((n) => {
        const cached = Math.min(n.cached, n.prompt)
        const audio = Math.min(n.audio, n.prompt)
        // Nothing writes audio to a cache.
        const write = Math.min(n.write, n.prompt - cached, n.prompt - audio)
        const spoken = Math.min(n.spoken, n.completion)
        const reasoning = Math.min(n.reasoning, n.completion - spoken)
        return { ...n, cached, audio, write, spoken, reasoning, total: n.prompt + n.completion }
      })
      .filter(({ prompt }) => prompt > 0)
    fc.assert(
      fc.property(consistent, (n) => {
        const { usage = {}, flags } = readCompletionUsage(wire(n))
        expect(flags).toBeUndefined()
        expect(tokenTotals(usage)).toEqual({
          inputTokens: n.prompt,
          outputTokens: n.completion,
          totalTokens: n.total,
          cachedTokens: n.cached,
          cacheCreationTokens: n.write,
          reasoningTokens: n.reasoning,
          audioInputTokens: n.audio,
          audioOutputTokens: n.spoken,
        })
        // How cached and audio overlap is not said: the dearest way they can.
        const dearest = Math.max(
          ...Array.from({ length: n.cached + 1 }, (_, cachedAudio) => {
            const text = n.prompt - n.audio - n.write - (n.cached - cachedAudio)
            if (cachedAudio > n.audio || text < 0) return 0
            return cost({
              'input.text': text,
              'input.text.cache_read': n.cached - cachedAudio,
              'input.text.cache_write': n.write,
              'input.audio': n.audio - cachedAudio,
              'input.audio.cache_read': cachedAudio,
            })
          }),
        )
        const input = Object.entries(usage).filter(([bucket]) => bucket.startsWith('input.'))
        expect(cost(Object.fromEntries(input))).toBe(dearest)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('OpenAI, responses', () => {
  const numbers = fc.record({
    input: tokens,
    output: tokens,
    cached: part,
    write: part,
    w30: part,
    w12: part,
    think: part,
  })

  test('what was written is billed in full, by its lives', () => {
    fc.assert(
      fc.property(numbers, fc.boolean(), (n, hasLives) => {
        const lives = hasLives ? { cache_write_tokens_details: { ttl_30m_tokens: n.w30, ttl_12h_tokens: n.w12 } } : {}
        const { usage = {}, flags = [] } = readResponseUsage({
          input_tokens: n.input,
          output_tokens: n.output,
          total_tokens: n.input + n.output,
          input_tokens_details: { cached_tokens: n.cached, cache_write_tokens: n.write, ...lives },
          output_tokens_details: { reasoning_tokens: n.think },
        })
        const written = hasLives ? Math.max(n.write, n.w30 + n.w12) : n.write
        expect(tokenTotals(usage).cacheCreationTokens).toBe(written)
        expect(usage['input.text.cache_write_12h'] ?? 0).toBe(hasLives ? n.w12 : 0)
        expect(flags.includes('sum:cache_write_tokens_details')).toBe(hasLives && n.w30 + n.w12 !== n.write)
        expect(flags.includes('subset:input_tokens')).toBe(n.cached + written > n.input)
        expect(tokenTotals(usage).inputTokens).toBeGreaterThanOrEqual(Math.max(n.input, written))
        // xAI's way of counting shows only in a total that is larger, which this one is not.
        expect(flags.includes('subset:output_tokens')).toBe(n.think > n.output)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('Anthropic', () => {
  const numbers = fc.record({ input: tokens, output: tokens, read: part, write: part, w5: part, w1: part, think: part })

  test('what was written is billed in full, what the split leaves out as the dearer hour', () => {
    fc.assert(
      fc.property(numbers, fc.boolean(), (n, hasSplit) => {
        const { usage = {}, flags = [] } = readMessageUsage({
          input_tokens: n.input,
          output_tokens: n.output,
          cache_read_input_tokens: n.read,
          cache_creation_input_tokens: n.write,
          cache_creation: hasSplit ? { ephemeral_5m_input_tokens: n.w5, ephemeral_1h_input_tokens: n.w1 } : null,
          output_tokens_details: { thinking_tokens: n.think },
        })
        const written = hasSplit ? Math.max(n.write, n.w5 + n.w1) : n.write
        const totals = tokenTotals(usage)
        expect(totals.cacheCreationTokens).toBe(written)
        expect(totals.inputTokens).toBe(n.input + n.read + written)
        expect(totals.outputTokens).toBe(Math.max(n.output, n.think))
        expect(flags.includes('sum:cache_creation')).toBe(hasSplit && n.w5 + n.w1 !== n.write)
        expect(flags.includes('subset:output_tokens')).toBe(n.think > n.output)
        if (hasSplit && n.w5 + n.w1 < n.write)
          for (let more5m = 0; more5m <= n.write - n.w5 - n.w1; more5m++) {
            const other = {
              'input.text': n.input,
              'input.text.cache_read': n.read,
              'input.text.cache_write_5m': n.w5 + more5m,
              'input.text.cache_write_1h': n.write - n.w5 - more5m,
            }
            expect(cost(usage)).toBeGreaterThanOrEqual(cost(other))
          }
      }),
      { numRuns: 500 },
    )
  })
})

describe('Google', () => {
  const kinds = ['TEXT', 'IMAGE', 'AUDIO', 'VIDEO'] as const
  const list = fc.option(
    fc.array(fc.record({ modality: fc.constantFrom(...kinds, 'DOCUMENT'), tokenCount: tokens }), { maxLength: 4 }),
    { nil: undefined },
  )
  const numbers = fc.record({
    prompt: fc.integer({ min: 1, max: 400 }),
    cached: part,
    candidates: tokens,
    thoughts: part,
    tools: part,
    total: fc.nat(1200),
    asked: list,
    read: list,
  })
  const sum = (entries: readonly { tokenCount: number }[] = []) =>
    entries.reduce((all, { tokenCount }) => all + tokenCount, 0)

  test('every token that any number knows of is billed, and a discount only where all agree', () => {
    fc.assert(
      fc.property(numbers, (n) => {
        const { usage = {}, flags = [] } = readUsageMetadata({
          promptTokenCount: n.prompt,
          cachedContentTokenCount: n.cached,
          candidatesTokenCount: n.candidates,
          thoughtsTokenCount: n.thoughts,
          toolUsePromptTokenCount: n.tools,
          totalTokenCount: n.total,
          promptTokensDetails: n.asked,
          cacheTokensDetails: n.read,
        })
        const totals = tokenTotals(usage)
        const parts = n.prompt + n.candidates + n.thoughts + n.tools
        expect(flags.includes('sum:totalTokenCount')).toBe(n.total !== parts)
        expect(flags.includes('subset:promptTokenCount')).toBe(n.cached > n.prompt)
        // A list of zeros says nothing.
        expect(flags.includes('sum:promptTokensDetails')).toBe(sum(n.asked) > 0 && sum(n.asked) !== n.prompt)
        expect(flags.includes('sum:cacheTokensDetails')).toBe(sum(n.read) > 0 && sum(n.read) !== n.cached)
        expect(totals.totalTokens).toBeGreaterThanOrEqual(Math.max(n.total, parts))
        expect(totals.inputTokens).toBeGreaterThanOrEqual(n.prompt + n.tools)
        expect(totals.cachedTokens).toBeLessThanOrEqual(n.cached)
        if (flags.length === 0) {
          expect(totals).toMatchObject({
            inputTokens: n.prompt + n.tools,
            totalTokens: n.total,
            cachedTokens: n.cached,
          })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
