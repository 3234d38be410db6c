// Counting tokens: the encodings as js-tiktoken ships them, bounds that hold, and work that stays small for any text.

import fc from 'fast-check'
import { Tiktoken } from 'js-tiktoken/lite'
import cl100k from 'js-tiktoken/ranks/cl100k_base'
import o200k from 'js-tiktoken/ranks/o200k_base'
import p50k from 'js-tiktoken/ranks/p50k_base'
import r50k from 'js-tiktoken/ranks/r50k_base'
import { describe, expect, test } from 'vitest'
import manifest from '../../node_modules/js-tiktoken/package.json' with { type: 'json' }
import { readBytePairs } from '../../src/providers/byte-pairs.ts'
import { countTokens, LONGEST_RUN, WHOLE_BYTES } from '../../src/providers/count-tokens.ts'
import { encodingOf, TOKENIZER_VERSION } from '../../src/providers/encodings.ts'
import { sampled, sizeOf } from '../../src/providers/text-sample.ts'

const TABLES = { o200k_base: o200k, cl100k_base: cl100k, p50k_base: p50k, r50k_base: r50k }
const MODELS = {
  o200k_base: 'gpt-4o',
  cl100k_base: 'gpt-4',
  p50k_base: 'text-davinci-003',
  r50k_base: 'text-davinci-001',
} as const
type Name = keyof typeof TABLES
const NAMES = Object.keys(TABLES) as Name[]

/** js-tiktoken's own encoder: slow on long runs, and the authority on everything else. */
const theirs = Object.fromEntries(NAMES.map((name) => [name, new Tiktoken(TABLES[name])])) as Record<Name, Tiktoken>
const trueCount = (text: string, name: Name = 'o200k_base') => theirs[name].encode(text, [], []).length

const REVIEW = `js-tiktoken is ${manifest.version}; these counts were taken with ${TOKENIZER_VERSION}. Where they moved, review
 - whether the encodings changed or only their packing (src/providers/byte-pairs.ts reads the packing);
 - which models count in which encoding (src/providers/encodings.ts);
 - the counts of this table, against a second tokenizer, before TOKENIZER_VERSION and the table are raised.`

/** o200k, cl100k, p50k, r50k; the first three are in the tests of OpenAI's tiktoken, too, with the same counts. */
const KNOWN: readonly (readonly [text: string, o200k: number, cl100k: number, p50k: number, r50k: number])[] = [
  ['hello world', 2, 2, 2, 2],
  ['tiktoken is great!', 6, 6, 6, 6],
  ['antidisestablishmentarianism', 6, 6, 5, 5],
  ['2 + 2 = 4', 7, 7, 5, 5],
  ['1234567890', 4, 4, 4, 4],
  ['お誕生日おめでとう', 8, 9, 14, 14],
  ['海有多深？没有人见过它的全部海底。', 15, 18, 35, 35],
  ['Привет, мир! Как глубоко море?', 10, 18, 32, 32],
  ['مرحبا بالعالم', 4, 10, 12, 12],
  ['👩‍👩‍👧‍👦🏴‍☠️🐋', 19, 29, 25, 25],
  ['<|endoftext|><|im_start|>user<|im_end|>', 19, 19, 21, 21],
  ['    if (a === b) {\n\treturn `a`;\n    }\r\n', 14, 14, 20, 24],
  ['https://example.com/a/b?c=%20d&e=f#g', 14, 14, 21, 21],
  ["don't we'll I'D", 4, 6, 7, 7],
  ['\ud83d \ud800', 2, 2, 2, 2],
  ['﷽', 3, 3, 3, 3],
  ['\u0000\u0001', 2, 2, 2, 2],
  [' '.repeat(130), 2, 2, 8, 130],
  ['='.repeat(100), 2, 3, 3, 3],
  ['Z̸̡̢̛a̸͇l̵g̶o̷', 23, 23, 22, 22],
]

describe('the tokenizer that was reviewed', () => {
  test('is the one that is installed', () => {
    expect(manifest.version, REVIEW).toBe(TOKENIZER_VERSION)
  })

  test.each(KNOWN)('%j', async (text, ...counts) => {
    for (const [at, name] of NAMES.entries()) {
      const { tokens, isExact } = await countTokens([text], MODELS[name])
      expect({ [name]: tokens }, REVIEW).toEqual({ [name]: counts[at] })
      expect(isExact).toBe(true)
    }
  })
})

const PUBLISHED = {
  o200k_base: [
    ...['gpt-4o', 'gpt-4o-mini-2024-07-18', 'o1', 'o3-mini', 'o4-mini', 'gpt-4.1-nano', 'gpt-4.5-preview', 'gpt-5'],
    ...['chatgpt-4o-latest', 'gpt-5-chat-latest', 'gpt-5.2', 'ft:gpt-4o-mini:acme::a1'],
  ],
  cl100k_base: [
    ...['gpt-4', 'gpt-4-0613', 'gpt-4-turbo', 'gpt-3.5-turbo-0125', 'gpt-35-turbo', 'ft:gpt-3.5-turbo:acme::a1'],
    ...['text-embedding-3-small', 'text-embedding-ada-002', 'davinci-002', 'babbage-002'],
  ],
  p50k_base: ['text-davinci-003', 'code-davinci-002'],
  r50k_base: ['text-curie-001', 'davinci', 'text-similarity-ada-001'],
}
/** Nobody has said. */
const UNPUBLISHED = [
  'gpt-6-sol',
  'claude-opus-5',
  'gemini-3-pro',
  'gpt-4ox',
  'o10',
  'my-gpt-4o',
  '',
  'x'.repeat(10_000),
]

describe('which encoding', () => {
  test.each([
    ...NAMES.flatMap((name) => PUBLISHED[name].map((model) => ({ model, name, isPublished: true }))),
    ...UNPUBLISHED.map((model) => ({ model, name: 'o200k_base', isPublished: false })),
  ])('$model: $name', ({ model, name, isPublished }) => {
    expect(encodingOf(model)).toEqual({ name, isPublished })
  })

  test('one that stands in is never called exact', async () => {
    const { tokens, low, high, isExact } = await countTokens(['The sea is deep.'], 'claude-opus-5')
    expect(tokens).toBe(trueCount('The sea is deep.'))
    expect(isExact).toBe(false)
    expect(low).toBeLessThan(tokens)
    expect(high).toBeGreaterThan(tokens)
  })
})

const anyText = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.constantFrom('<|endoftext|>', '\ud800', '的'.repeat(60), "I'LL ", '\r\n\r\n', 'ǅǆＡ１２３４'),
  fc
    .tuple(fc.constantFrom(' ', '\n', '\t', '=', '/', 'a', 'A', '1', ' \n', '- '), fc.nat(200))
    .map(([unit, times]) => unit.repeat(times)),
)

describe('exact', () => {
  test.each(NAMES)('%s counts as js-tiktoken does, for any text', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { maxLength: 6 }), async (parts) => {
        const text = parts.join('')
        const count = await countTokens([text], MODELS[name])
        expect(count.low).toBeLessThanOrEqual(trueCount(text, name))
        expect(count.high).toBeGreaterThanOrEqual(trueCount(text, name))
        if (count.isExact) expect(count.tokens).toBe(trueCount(text, name))
        expect(count.isExact).toBe(!text.match(encodings[name]!.pattern)?.some((piece) => piece.length > LONGEST_RUN))
      }),
      { numRuns: 40 },
    )
  })

  test('several texts come to the sum of each', async () => {
    const texts = ['The sea', ' is deep', '', 'and wide.']
    const { tokens, isExact } = await countTokens(texts, 'gpt-4o')
    expect(tokens).toBe(texts.reduce((sum, text) => sum + trueCount(text), 0))
    expect(isExact).toBe(true)
  })

  test('nothing is exactly nothing', async () => {
    for (const texts of [[], ['', '']])
      expect(await countTokens(texts, 'gpt-4o')).toEqual({
        ...{ tokens: 0, low: 0, high: 0, most: 0 },
        ...{ isExact: true, encoding: 'o200k_base' },
      })
  })
})

describe('bounded', () => {
  /** Units whose count, many times over, is known without counting it. */
  const LONG = [
    ['a word and a space', 'tokens '],
    ['Chinese', '海有多深？没有人见过它的全部海底，已知的都来自声音。'],
    ['a special token', '<|endoftext|> '],
    ['code', 'export const add = (a: number, b: number): number => {\n  return a + b\n}\n'],
    ['families', '👩‍👩‍👧‍👦 '],
  ] as const

  test.each(LONG)('a text of a megabyte of %s is sampled, and its bounds hold', async (_, unit) => {
    const times = Math.ceil(1_000_000 / Buffer.byteLength(unit))
    const one = trueCount(unit.repeat(21)) - trueCount(unit.repeat(20))
    const { tokens, low, high, most, isExact } = await countTokens([unit.repeat(times)], 'gpt-4o')
    expect(isExact).toBe(false)
    expect(low).toBeLessThanOrEqual(one * times)
    expect(high).toBeGreaterThanOrEqual(one * times)
    expect(most).toBeGreaterThanOrEqual(high)
    expect(Math.abs(tokens / (one * times) - 1)).toBeLessThan(0.02)
  })

  test('what lies between two windows cannot pass `most`', async () => {
    const step = Math.floor(800_000 / 16)
    // Prose where the windows look, the densest there is where they do not.
    const prose = 'tokens '.repeat(600)
    const text = Array.from({ length: 16 }, () => prose + '\u{10ffff}'.repeat((step - prose.length) / 2)).join('')
    const { most } = await countTokens([text], 'gpt-4o')
    const dense = trueCount('\u{10ffff}'.repeat(20)) / 20
    expect(most).toBeGreaterThanOrEqual((text.length - 16 * prose.length) * (dense / 2))
    expect(most).toBeLessThanOrEqual(Buffer.byteLength(text))
  })

  test('counted in whole up to any size that is asked for', async () => {
    const text = 'tokens '.repeat(50_000)
    const { tokens, isExact } = await countTokens([text], 'gpt-4o', { wholeBytes: 1_000_000 })
    expect(tokens).toBe(50_001)
    expect(isExact).toBe(true)
  })
})

const encodings = Object.fromEntries(
  await Promise.all(NAMES.map(async (name) => [name, await readBytePairs(TABLES[name])] as const)),
)

describe('the work', () => {
  const HOSTILE = {
    'the same letter': 'a'.repeat(100_000),
    'the same capital': 'A'.repeat(100_000),
    'the same Chinese character': '的'.repeat(100_000),
    'different Chinese characters': Array.from({ length: 100_000 }, (_, i) =>
      String.fromCharCode(0x4e00 + ((i * 7919) % 8000)),
    ).join(''),
    'random letters': randomLetters(100_000),
    whales: '🐋'.repeat(50_000),
    spaces: ' '.repeat(100_000),
    lines: '\n'.repeat(100_000),
    'halves of pairs': '\ud83d'.repeat(100_000),
    'one mark after another': 'Z\u0338\u0321'.repeat(33_000),
    base64: Buffer.from(randomLetters(75_000)).toString('base64'),
    megabytes: 'x '.repeat(5_000_000),
  }

  test.each(Object.entries(HOSTILE))('of %s: at most 64 KiB, in runs of 256 characters', async (_, text) => {
    let bytes = 0
    for (const window of sampled(sizeOf([text]), WHOLE_BYTES))
      for (const slice of window) bytes += Buffer.byteLength(slice.text)
    // A window ends where a character does.
    expect(bytes).toBeLessThanOrEqual(WHOLE_BYTES + 16 * 4)
    const count = await countTokens([text], 'gpt-4o')
    expect(count.low).toBeLessThanOrEqual(count.tokens)
    expect(count.high).toBeGreaterThanOrEqual(count.tokens)
    expect(count.most).toBeLessThanOrEqual(Buffer.byteLength(text))
  })

  test('other work of the process has its turn', async () => {
    await countTokens(['warm'], 'gpt-4o')
    let turns = 0
    let isOver = false
    const tick = (): void => {
      turns++
      if (!isOver) setImmediate(tick)
    }
    setImmediate(tick)
    await countTokens([HOSTILE['random letters']], 'gpt-4o')
    isOver = true
    // A turn after every 2,048 characters of 65,536.
    expect(turns).toBeGreaterThanOrEqual(31)
  })

  test('windows never part a pair of surrogates, and never look twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 30 }),
        fc.integer({ min: 16, max: 400 }),
        (texts, wholeBytes) => {
          const size = sizeOf(texts)
          const slices = [...sampled(size, wholeBytes)].flat()
          const characters = slices.reduce((sum, { text }) => sum + text.length, 0)
          expect(characters).toBeLessThanOrEqual(size.characters)
          for (const { text } of slices) expect(Buffer.from(text).toString()).toBe(text)
          if (size.bytes <= wholeBytes) expect(characters).toBe(size.characters)
        },
      ),
    )
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
