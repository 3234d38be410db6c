// Estimated tokens: never a throw, never much work, and the true count between the bounds.

import fc from 'fast-check'
import { Tiktoken } from 'js-tiktoken/lite'
import o200k from 'js-tiktoken/ranks/o200k_base'
import { describe, expect, test } from 'vitest'
import { estimateTokens, guessTokens, likelyTokens, mostTokens } from '../../src/providers/estimate.ts'

const encoder = new Tiktoken(o200k)
/** The true count; only for texts without a long run, on which this tokenizer takes minutes. */
const count = (text: string) => encoder.encode(text, [], []).length

const PROSE = 'The sea is deep, and nobody has seen the whole of its floor; what is known comes from sound. '
const CODE = 'export const add = (a: number, b: number): number => {\n  return a + b\n}\n'

describe('texts of every kind', () => {
  test.each([
    ['prose', PROSE.repeat(20)],
    ['code', CODE.repeat(20)],
    ['numbers', Array.from({ length: 500 }, (_, i) => i * 7919).join(' ')],
    ['Chinese', '海有多深？没有人见过它的全部海底，已知的都来自声音。'.repeat(40)],
    ['Arabic', 'ما عمق البحر؟ لم ير أحد قاعه كله. '.repeat(40)],
    ['emoji', '🐋🌊👩‍👩‍👧‍👦🏴‍☠️ '.repeat(100)],
    ['special tokens', '<|endoftext|> <|im_start|>system<|im_end|> '.repeat(50)],
    ['halves of surrogate pairs', '\ud83d \udc0b '.repeat(200)],
    ['control characters', '\u0000\u0001\u001b \n\t '.repeat(200)],
    ['one letter', 'x'],
  ])('%s', async (_, text) => {
    const { tokens, low, high } = await estimateTokens([text])
    expect(low).toBeLessThanOrEqual(count(text))
    expect(high).toBeGreaterThanOrEqual(count(text))
    // Counted in windows, and a run without spaces in pieces: a cut parts a token in two.
    expect(Math.abs(tokens - count(text)) / count(text)).toBeLessThan(0.05)
    const guess = guessTokens([text])
    expect(guess.low).toBeLessThanOrEqual(count(text))
    expect(guess.high).toBeGreaterThanOrEqual(count(text))
    expect(guess.tokens).toBeGreaterThan(0)
    expect(mostTokens([text])).toBeGreaterThanOrEqual(count(text))
    expect(likelyTokens(mostTokens([text]))).toBeLessThanOrEqual(mostTokens([text]))
  })

  test.each([
    ['six hundred spaces in two parts', [' '.repeat(300), ' '.repeat(300)]],
    ['a thousand spaces', [' '.repeat(1000)]],
    ['a thousand newlines', ['\n'.repeat(1000)]],
    ['a thousand tabs', ['\t'.repeat(1000)]],
    ['a ruler of =', ['='.repeat(700)]],
    ['a ruler of -', ['-'.repeat(700)]],
    ['a row of stars', ['*'.repeat(700)]],
    ['a thousand a', ['a'.repeat(1000)]],
    ['lines of nothing but spaces', [`${' '.repeat(63)}\n`.repeat(12)]],
    ['a deep indent before each word', [`${' '.repeat(128)}x`.repeat(6)]],
    ['a mark before many slashes', [`!${'/'.repeat(68)}`]],
    ['a ruler behind a word', [`x${'=-'.repeat(160)}`]],
    ['a table', [`|${'-'.repeat(96)}|${'='.repeat(96)}|\n`.repeat(4)]],
  ])('the bounds of %s hold the true count, though it is counted in pieces', async (_, parts) => {
    const { low, high } = await estimateTokens(parts)
    const exact = count(parts.join(''))
    expect(low).toBeLessThanOrEqual(exact)
    expect(high).toBeGreaterThanOrEqual(exact)
  })

  test('nothing is nothing', async () => {
    expect(await estimateTokens([])).toEqual({ tokens: 0, low: 0, high: 0 })
    expect(await estimateTokens(['', ''])).toEqual({ tokens: 0, low: 0, high: 0 })
    expect(guessTokens(['', ''])).toEqual({ tokens: 0, low: 0, high: 0 })
  })

  test('any text, in any parts', async () => {
    const part = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.constantFrom('<|endoftext|>', '\ud800', '的'.repeat(100), PROSE, CODE),
      fc
        .tuple(fc.constantFrom(' ', '\n', '\t', '\r\n', '=', '-', '#', 'a', ' \n', '- '), fc.nat(300))
        .map(([unit, times]) => unit.repeat(times)),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const { tokens, low, high } = await estimateTokens(parts)
        const exact = count(parts.join(''))
        expect(low).toBeLessThanOrEqual(exact)
        expect(high).toBeGreaterThanOrEqual(exact)
        expect(Number.isSafeInteger(tokens) && Number.isSafeInteger(low) && Number.isSafeInteger(high)).toBe(true)
        const guess = guessTokens(parts)
        expect(guess.low).toBeLessThanOrEqual(Math.min(exact, guess.tokens))
        expect(guess.high).toBeGreaterThanOrEqual(Math.max(exact, guess.tokens))
        expect(mostTokens(parts)).toBeGreaterThanOrEqual(exact)
      }),
      { numRuns: 150 },
    )
  })
})

describe('hostile texts', () => {
  /** What 100,000 of it come to, for those whose count is known without counting them. */
  const eightAs = count('a'.repeat(8))

  test.each([
    ['the same letter', 'a'.repeat(100_000), (100_000 / 8) * eightAs],
    ['the same Chinese character', '的'.repeat(100_000), undefined],
    ['spaces', ' '.repeat(100_000), undefined],
    ['random letters', randomLetters(100_000), undefined],
    ['a pair of surrogates', '🐋'.repeat(50_000), undefined],
    ['a high surrogate alone', '\ud83d'.repeat(100_000), undefined],
    ['a special token', '<|endoftext|>'.repeat(8_000), count('<|endoftext|>'.repeat(20)) * 400],
    ['a base64 file', Buffer.from(randomLetters(75_000)).toString('base64'), undefined],
    ['five megabytes of prose', PROSE.repeat(56_000), count(PROSE.repeat(10)) * 5_600],
  ])('%s, 100,000 times, is counted at once', async (_, text, exact) => {
    await estimateTokens(['warm'])
    const started = process.cpuUsage()
    const { tokens, low, high } = await estimateTokens([text])
    // Some 300 ms for the worst of them on an idle machine; unguarded they take from half a minute to hours.
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(5000)
    expect(low).toBeLessThanOrEqual(tokens)
    expect(high).toBeGreaterThanOrEqual(tokens)
    expect(tokens).toBeGreaterThan(0)
    expect(tokens).toBeLessThanOrEqual(Buffer.byteLength(text))
    if (exact !== undefined) {
      expect(low).toBeLessThanOrEqual(exact)
      expect(high).toBeGreaterThanOrEqual(exact)
    }
  })

  test('a text that changes halfway is not judged by its beginning', async () => {
    const half = { spaces: ' '.repeat(60_000), chinese: '海有多深？没有人见过它的全部海底。'.repeat(3_500) }
    const exact = count(half.spaces.slice(0, 600)) * 100 + count('海有多深？没有人见过它的全部海底。'.repeat(10)) * 350
    for (const text of [half.spaces + half.chinese, half.chinese + half.spaces]) {
      const { tokens, low, high } = await estimateTokens([text])
      expect(low).toBeLessThanOrEqual(exact)
      expect(high).toBeGreaterThanOrEqual(exact)
      expect(tokens / exact).toBeGreaterThan(0.8)
      expect(tokens / exact).toBeLessThan(1.2)
    }
  })

  test('a hundred thousand little parts are one text', async () => {
    const words = PROSE.split(/(?= )/)
    const parts = Array.from({ length: 100_000 }, (_, i) => words[i % words.length]!)
    const exact = (count(PROSE.repeat(10)) / 10) * (parts.length / words.length)
    const { tokens } = await estimateTokens(parts)
    expect(tokens / exact).toBeGreaterThan(0.95)
    expect(tokens / exact).toBeLessThan(1.05)
  })
})

/** The same letters in every run. */
function randomLetters(length: number): string {
  let seed = 7
  return Array.from({ length }, () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return String.fromCharCode(97 + (seed % 26))
  }).join('')
}
