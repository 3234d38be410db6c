// What the caller sees of a stream in which we asked for usage is what the host would have sent unasked.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { completionStream } from '../../src/providers/openai-stream.ts'
import { HIDE, type Json } from '../../src/providers/provider.ts'

const USAGE = { prompt_tokens: 24, completion_tokens: 9, total_tokens: 33 }

/** A chunk as it comes unasked: content of any kind, and Azure's first one without choices. */
const content = fc.record(
  {
    id: fc.constantFrom('', 'chatcmpl-1'),
    model: fc.constantFrom('', 'gpt-4o'),
    obfuscation: fc.string(),
    choices: fc.array(
      fc.record({
        index: fc.nat(3),
        delta: fc.oneof(
          fc.record({ content: fc.option(fc.string()) }),
          fc.record({ tool_calls: fc.array(fc.record({ function: fc.record({ arguments: fc.string() }) })) }),
        ),
        finish_reason: fc.constantFrom(null, 'stop', 'tool_calls'),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  },
  { requiredKeys: ['choices'] },
) as fc.Arbitrary<Json>
const first = fc.constantFrom<Json[]>([], [{ choices: [], prompt_filter_results: [], model: '' }])
const unasked = fc.tuple(first, fc.array(content, { maxLength: 12 })).map((parts) => parts.flat())

/** The same stream as a host sends it that was asked: in each of the ways that hosts are known to have. */
const HOSTS: Readonly<Record<string, (chunks: readonly Json[]) => Json[]>> = {
  'OpenAI: null on every chunk, and one more chunk': (chunks) => [
    ...chunks.map((chunk) => ({ ...chunk, usage: null })),
    { id: 'chatcmpl-1', choices: [], usage: USAGE },
  ],
  'Ollama: one more chunk, the others as they are': (chunks) => [...chunks, { choices: [], usage: USAGE }],
  'xAI: one more chunk, and an empty one after it': (chunks) => [
    ...chunks,
    { choices: [], usage: USAGE },
    { choices: [] },
  ],
  'an empty chunk with null after it': (chunks) => [
    ...chunks.map((chunk) => ({ usage: null, ...chunk })),
    { choices: [], usage: USAGE },
    { choices: [], usage: null },
  ],
  'one that does not know what we ask': (chunks) => [...chunks],
}

function seen(chunks: readonly Json[], isPrepared: boolean): unknown[] {
  const reader = completionStream(isPrepared)
  return chunks.map((chunk) => reader.take(chunk)).filter((chunk) => chunk !== HIDE)
}

describe.each(Object.entries(HOSTS))('%s', (_, asked) => {
  test('is seen as if nobody had asked, key by key', () => {
    fc.assert(
      fc.property(unasked, (chunks) => {
        // As text, since the order of keys is part of what a caller may print.
        expect(JSON.stringify(seen(asked(chunks), true))).toBe(JSON.stringify(chunks))
      }),
    )
  })

  test('is seen as it is by a caller who asked', () => {
    fc.assert(
      fc.property(unasked, (chunks) => {
        expect(seen(asked(chunks), false)).toEqual(asked(chunks))
      }),
    )
  })

  test('hands on the very chunks in which nothing is hidden, and changes none', () => {
    fc.assert(
      fc.property(unasked, (chunks) => {
        const reader = completionStream(true)
        for (const chunk of asked(chunks)) {
          const before = JSON.stringify(chunk)
          const shown = reader.take(chunk)
          if (!('usage' in chunk) && shown !== HIDE) expect(shown).toBe(chunk)
          expect(JSON.stringify(chunk)).toBe(before)
        }
      }),
    )
  })
})

test('a running total on the chunks of a host that sends it anyway is the caller’s', () => {
  const chunks = [4, 7, 9].map((n) => ({ choices: [{ delta: {} }], usage: { ...USAGE, completion_tokens: n } }))
  expect(seen(chunks, true)).toEqual(chunks)
})
