// Tokenizers that a user brings: counts that are those of the library whose files they are, and one sentence for what is not known.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Tiktoken } from 'js-tiktoken/lite'
import r50k from 'js-tiktoken/ranks/r50k_base'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readTokenizer, tokenizerIn } from '../../src/audit/tokenizer/file.ts'
import { createCounters, ownTokenizers } from '../../src/audit/tokenizers.ts'
import { temporaryFolder } from '../support/ingest.ts'

/** As GPT-2 wrote bytes, by the rule of its encoder.py. */
const SHOWN = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174 ? byte : next++),
  )
})()
const shown = (bytes: string) => Array.from(bytes, (byte) => SHOWN[byte.charCodeAt(0)]).join('')

/** A tokenizer.json of an encoding of js-tiktoken: each token's merge is the last step of making it from the ranks below. */
function fileOf({ pat_str, bpe_ranks }: typeof r50k) {
  const ranks = new Map<string, number>()
  for (const line of bpe_ranks.split('\n')) {
    const [, first, ...tokens] = line.split(' ')
    for (const [i, token] of tokens.entries())
      ranks.set(Buffer.from(token, 'base64').toString('latin1'), Number(first) + i)
  }
  const merges: string[] = []
  for (const [token, rank] of [...ranks].sort((a, b) => a[1] - b[1])) {
    const parts = Array.from(token)
    for (let best = 0; best >= 0 && parts.length > 2; ) {
      best = -1
      let lowest = rank
      for (let i = 0; i + 1 < parts.length; i++) {
        const pair = ranks.get(parts[i]! + parts[i + 1]!)
        if (pair !== undefined && pair < lowest) [lowest, best] = [pair, i]
      }
      if (best >= 0) parts.splice(best, 2, parts[best]! + parts[best + 1]!)
    }
    if (parts.length === 2) merges.push(`${shown(parts[0]!)} ${shown(parts[1]!)}`)
  }
  return {
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pat_str }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    },
    model: { type: 'BPE', vocab: Object.fromEntries([...ranks].map(([token, rank]) => [shown(token), rank])), merges },
  }
}

describe('a byte-level BPE', () => {
  const ours = tokenizerIn(fileOf(r50k), 'x')
  const theirs = new Tiktoken(r50k)

  test.each([
    'The bill does not agree with the ledger, and nobody can say why.',
    '你好，世界。这是一个测试。',
    "I'll say it's naïve — 👩‍👩‍👧 \r\n\r\n   x",
    '<|endoftext|> is text',
    '\ufeffbom  lead and trail  ',
    'x'.repeat(700),
    '',
  ])('counts %j as its own library does', async (text) => {
    expect(await ours.count(text)).toBe(theirs.encode(text, [], []).length)
  })

  test('counts any text likewise', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'e', ' ', '\n', "'", '.', '9', 'é', '你', '👍'),
      maxLength: 40,
    })
    await fc.assert(
      fc.asyncProperty(text, async (it) => {
        expect(await ours.count(it)).toBe(theirs.encode(it, [], []).length)
      }),
    )
  })

  test('has no run that is too long', async () => {
    expect(await ours.count('的'.repeat(100_000))).toBe(100 * (await ours.count('的'.repeat(1000))))
  })
})

// The counts below are those of @huggingface/tokenizers 0.2.0 for the same files, 2026-11-22.
const BYTES = Object.fromEntries(
  Array.from({ length: 256 }, (_, i) => [`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`, i + 1]),
)
const MARKED = ['▁', 'a', 'b', 'c', 'd', 'e', '▁a', 'ab', '▁ab', 'abc', '▁abc', 'cd', 'de', 'cde', '▁▁', '▁▁▁▁']
const SENTENCE_PIECE = {
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  model: {
    type: 'BPE',
    fuse_unk: true,
    byte_fallback: true,
    vocab: { '<unk>': 0, ...BYTES, ...Object.fromEntries(MARKED.map((token, i) => [token, 300 + i])) },
    merges: ['▁ a', 'a b', '▁ ab', '▁a b', 'ab c', '▁ab c', 'c d', 'd e', 'c de', 'cd e', '▁ ▁', '▁▁ ▁▁'],
  },
}

test.each([
  ['abc', 1],
  ['abc abc', 2],
  ['abcde', 2],
  ['é', 3],
  ['    a', 2],
  ['', 0],
])('BPE with byte fallback makes of %j as many tokens as its own library', async (text, tokens) => {
  expect(await tokenizerIn(SENTENCE_PIECE, 'x').count(text)).toBe(tokens)
})

const VOCAB: [string, number][] = [
  ['<unk>', 0],
  ['▁', -2],
  ['a', -3],
  ['b', -3.5],
  ['ab', -5],
  ['▁a', -4.1],
  ['▁ab', -4.5],
  ['ba', -5.2],
]
const UNIGRAM = {
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  model: { type: 'Unigram', unk_id: 0, vocab: VOCAB },
}

/** Every way to cut a piece, the best of them. */
function bestOf(piece: string): { score: number; tokens: number } {
  if (piece === '') return { score: 0, tokens: 0 }
  return VOCAB.filter(([token]) => piece.startsWith(token))
    .map(([token, score]) => {
      const rest = bestOf(piece.slice(token.length))
      return { score: score + rest.score, tokens: 1 + rest.tokens }
    })
    .reduce((a, b) => (b.score > a.score ? b : a), { score: Number.NEGATIVE_INFINITY, tokens: 0 })
}

test('a unigram model cuts a word in the likeliest way', async () => {
  const { count } = tokenizerIn(UNIGRAM, 'x')
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 9 }), async (word) => {
      expect(await count(word)).toBe(bestOf(`▁${word}`).tokens)
    }),
  )
  expect(await count('é你 a')).toBe(3)
})

test.each<[string, unknown, string]>([
  ['no model', {}, 'it has no `model`'],
  ['a WordPiece model', { model: { type: 'WordPiece', vocab: {} } }, '"WordPiece"'],
  ['a precompiled normalizer', { ...UNIGRAM, normalizer: { type: 'Precompiled' } }, '"Precompiled"'],
  ['a pre-tokenizer nobody knows', { ...UNIGRAM, pre_tokenizer: { type: 'Whitespace' } }, '"Whitespace"'],
  [
    'an expression of another kind',
    { ...UNIGRAM, pre_tokenizer: { type: 'Split', pattern: { Regex: '(?<=a)\\K' }, behavior: 'Isolated' } },
    'cannot match',
  ],
  ['a merge of nothing', { model: { type: 'BPE', vocab: { a: 0 }, merges: ['a b'] } }, 'does not have'],
  ['dropout', { model: { type: 'BPE', dropout: 0.1, vocab: { a: 0 }, merges: [] } }, '`dropout`'],
])('a file with %s is refused in one sentence', (_, file, sentence) => {
  expect(() => tokenizerIn(file, 'x')).toThrow(sentence)
  expect(() => tokenizerIn(file, 'x')).toThrow(/^The tokenizer file cannot be used: [^\n]*\.$/)
})

test('a possessive quantifier and a part without case are matched as they are meant', async () => {
  const pattern = String.raw`(?i:'s|'t)|[*+]+|\p{L}++|\s?+`
  const file = {
    ...SENTENCE_PIECE,
    normalizer: null,
    pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated' },
  }
  expect(await tokenizerIn(file, 'x').count("abc'S")).toBe(3)
})

describe('the tokenizer of a model', () => {
  function fileWith(content: unknown): string {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    mkdirSync(folder.path, { recursive: true })
    const path = join(folder.path, 'tokenizer.json')
    writeFileSync(path, JSON.stringify(content))
    return path
  }

  test('is the one that was brought for it, told by the hash of its file', async () => {
    const own = ownTokenizers([`qwen3*=${fileWith(SENTENCE_PIECE)}`], readTokenizer)
    const counters = createCounters(own, [75, 135])
    const counter = counters('together', 'Qwen3-32B')
    expect(counter).toMatchObject({ isOwn: true, fingerprint: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
    expect(await counter.count(['abc', 'abc abc'])).toEqual({ tokens: 3, low: 3, high: 3 })
  })

  test('is published for some, stands in for others, and bounds them', async () => {
    const counters = createCounters([], [75, 135])
    expect(counters('openai', 'gpt-4o')).toMatchObject({ isOwn: true, fingerprint: 'js-tiktoken@1.0.21/o200k_base' })
    const other = counters('anthropic', 'claude-opus-5')
    expect(other.isOwn).toBe(false)
    const text = 'The bill does not agree with the ledger. '.repeat(10)
    const { tokens, low, high } = await other.count([text])
    expect([low, high]).toEqual([Math.floor(tokens * 0.75), Math.ceil(tokens * 1.35)])
  })

  test('is far from ours in Chinese, and the band is as wide', async () => {
    const { tokens, low, high } = await createCounters([], [75, 135])('anthropic', 'claude-opus-5').count([
      '账单与账本不一致。',
    ])
    expect([low, high]).toEqual([Math.floor(tokens * 0.4), Math.min(tokens * 3, 27)])
  })

  test.each(['qwen3', '=path', 'qwen3='])('cannot be given as %j', (given) => {
    expect(() => ownTokenizers([given], readTokenizer)).toThrow('`model=tokenizer.json`')
  })

  test('cannot be read where there is no file', () => {
    expect(() => readTokenizer('/nowhere/tokenizer.json')).toThrow('cannot be read (ENOENT)')
  })
})
