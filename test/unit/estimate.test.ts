// Estimated tokens: texts and what stands around them, with the true count between the bounds.

import fc from 'fast-check'
import { Tiktoken } from 'js-tiktoken/lite'
import cl100k from 'js-tiktoken/ranks/cl100k_base'
import o200k from 'js-tiktoken/ranks/o200k_base'
import { describe, expect, test } from 'vitest'
import { frameOf } from '../../src/providers/chat-frame.ts'
import { estimateTokens, guessTokens, likelyTokens, mostTokens } from '../../src/providers/estimate.ts'
import { texts } from '../../src/providers/prompt.ts'

const encoders = { 'gpt-4o': new Tiktoken(o200k), 'gpt-4': new Tiktoken(cl100k) }
/** The true count; only for texts without a long run, on which this tokenizer takes minutes. */
const count = (text: string, model: keyof typeof encoders = 'gpt-4o') => encoders[model].encode(text, [], []).length

const PROSE = 'The sea is deep, and nobody has seen the whole of its floor; what is known comes from sound. '

describe('texts of every kind', () => {
  test.each([
    ['prose', PROSE.repeat(20)],
    ['code', 'export const add = (a: number, b: number): number => {\n  return a + b\n}\n'.repeat(20)],
    ['numbers', Array.from({ length: 500 }, (_, i) => i * 7919).join(' ')],
    ['Chinese', '海有多深？没有人见过它的全部海底，已知的都来自声音。'.repeat(40)],
    ['Arabic', 'ما عمق البحر؟ لم ير أحد قاعه كله. '.repeat(40)],
    ['emoji', '🐋🌊👩‍👩‍👧‍👦🏴‍☠️ '.repeat(100)],
    ['special tokens', '<|endoftext|> <|im_start|>system<|im_end|> '.repeat(50)],
    ['halves of surrogate pairs', '\ud83d \udc0b '.repeat(200)],
    ['control characters', '\u0000\u0001\u001b \n\t '.repeat(200)],
    ['spaces', ' '.repeat(500)],
    ['a ruler', '='.repeat(500)],
    ['one letter', 'x'],
  ])('%s', async (_, text) => {
    const exact = count(text)
    const { tokens } = await estimateTokens([text], 'gpt-4o', { tokens: 0, low: 0, high: 0 })
    expect(Math.abs(tokens - exact) / exact).toBeLessThan(0.1)
    for (const estimate of [
      await estimateTokens([text], 'gpt-4o'),
      await estimateTokens([text], 'claude-opus-5'),
      guessTokens([text]),
    ]) {
      expect(estimate.low).toBeLessThanOrEqual(exact)
      expect(estimate.high).toBeGreaterThanOrEqual(exact)
      expect(estimate.tokens).toBeGreaterThan(0)
    }
    expect(mostTokens([text])).toBeGreaterThanOrEqual(exact)
    expect(likelyTokens(mostTokens([text]))).toBeLessThanOrEqual(mostTokens([text]))
  })

  test('nothing is nothing, whatever would stand around it', async () => {
    const frame = { tokens: 7, low: 7, high: 7 }
    expect(await estimateTokens([], 'gpt-4o', frame)).toEqual({ tokens: 0, low: 0, high: 0 })
    expect(await estimateTokens(['', ''], 'gpt-4o')).toEqual({ tokens: 0, low: 0, high: 0 })
    expect(guessTokens(['', ''], frame)).toEqual({ tokens: 0, low: 0, high: 0 })
  })

  test('a guess holds the count of any text, in any parts', () => {
    const part = fc.oneof(
      fc.string({ maxLength: 100 }),
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.string({ unit: 'grapheme', maxLength: 100 }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const exact = parts.reduce((sum, text) => sum + count(text), 0)
        const guess = guessTokens(parts)
        expect(guess.low).toBeLessThanOrEqual(Math.min(exact, guess.tokens))
        expect(guess.high).toBeGreaterThanOrEqual(Math.max(exact, guess.tokens))
        expect(mostTokens(parts)).toBeGreaterThanOrEqual(exact)
      }),
    )
  })
})

describe('what OpenAI puts around the messages of a chat', () => {
  // The example of OpenAI's cookbook, "How to count tokens with tiktoken", and what the API says that it comes to.
  const messages = [
    {
      role: 'system',
      content: 'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.',
    },
    { role: 'system', name: 'example_user', content: 'New synergies will help drive top-line growth.' },
    { role: 'system', name: 'example_assistant', content: 'Things working well together will increase revenue.' },
    {
      role: 'system',
      name: 'example_user',
      content: "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    },
    {
      role: 'system',
      name: 'example_assistant',
      content: "Let's talk later when we're less busy about how to do better.",
    },
    {
      role: 'user',
      content: "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
  ]

  test.each([
    ['gpt-4o', 124],
    ['gpt-4', 129],
  ] as const)('%s: exactly what it bills', async (model, billed) => {
    const frame = frameOf('openai', 'chat.completions', { messages })
    expect(await estimateTokens(texts(messages), model, frame)).toEqual({ tokens: billed, low: billed, high: billed })
  })

  test('of functions, within the bounds', async () => {
    // The same page, its example of functions: 101 tokens of gpt-4o, 105 of gpt-4.
    const asked = [
      { role: 'system', content: 'You are a helpful assistant that can answer to questions about the weather.' },
      { role: 'user', content: "What's the weather like in San Francisco?" },
    ]
    const tools = [
      {
        type: 'function',
        function: {
          name: 'get_current_weather',
          description: 'Get the current weather in a given location',
          parameters: {
            type: 'object',
            properties: {
              location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
              unit: {
                type: 'string',
                description: 'The unit of temperature to return',
                enum: ['celsius', 'fahrenheit'],
              },
            },
            required: ['location'],
          },
        },
      },
    ]
    for (const [model, billed] of [
      ['gpt-4o', 101],
      ['gpt-4', 105],
    ] as const) {
      const frame = frameOf('openai', 'chat.completions', { messages: asked, tools })
      const { tokens, low, high } = await estimateTokens(texts(asked, tools), model, frame)
      expect(low).toBeLessThanOrEqual(billed)
      expect(high).toBeGreaterThanOrEqual(billed)
      expect(Math.abs(tokens - billed)).toBeLessThan(20)
    }
  })

  test('is not known of other providers and surfaces', () => {
    expect(frameOf('groq', 'chat.completions', { messages })).toBeUndefined()
    expect(frameOf('openai', 'responses', { input: messages })).toBeUndefined()
    expect(frameOf('openai', 'chat.completions', { messages: 'none' })).toEqual({ tokens: 0, low: 0, high: 0 })
    expect(frameOf('openai', 'chat.completions', { messages: [null, 7, 'x'], tools: [null] })?.tokens).toBe(34)
  })
})
