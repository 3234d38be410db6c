// Cutting fields out of JSON text must never say anything else than parsing it.

import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { topLevelFields } from '../../src/providers/top-level.ts'
import { PATIENT } from '../support/patience.ts'

const KEYS = ['usage', 'id', 'model', 'choices', 'us"age', 'a\\', '', 'é', '\u0000', '"usage":{', 'constructor']

/** JSON text with any spacing, escapes and repeated keys. */
const space = fc.constantFrom('', '', ' ', '\n', '\t\r\n ', '    ')
const escaped = (text: string, how: boolean) =>
  how
    ? `"${Array.from(text, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
    : JSON.stringify(text)
const { value } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('null', 'true', 'false', '0', '-1.5e+10', '""', '"\\""', '"\\\\"', '"\\\\\\""', '"}"', '"]}{["'),
    fc.tuple(fc.string(), fc.boolean()).map(([text, how]) => escaped(text, how && /^[\x20-\x7e]*$/.test(text))),
    fc
      .tuple(fc.array(tie('value'), { maxLength: 3 }), space)
      .map(([items, by]) => `[${by}${items.join(`${by},${by}`)}]`),
    tie('object'),
  ),
  object: object(tie('value')),
}))

function object(values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const key = fc
    .tuple(fc.constantFrom(...KEYS), fc.boolean())
    .map(([name, how]) => escaped(name, how && /^[a-z]+$/.test(name)))
  const entry = fc.tuple(space, key, space, space, values, space)
  return fc.tuple(fc.array(entry, { maxLength: 6 }), space).map(([entries, by]) => {
    const inside = entries.map(([a, name, b, c, held, d]) => `${a}${name}${b}:${c}${held}${d}`).join(',')
    return `{${inside || by}}`
  })
}

const text = fc.tuple(space, object(value), space).map((parts) => parts.join(''))
const names = fc.subarray(KEYS)

function expected(json: string, wanted: readonly string[]): Record<string, unknown> {
  const all = JSON.parse(json) as Record<string, unknown>
  return Object.fromEntries(Object.entries(all).filter(([key]) => wanted.includes(key)))
}

describe('topLevelFields', () => {
  test('agrees with JSON.parse on any JSON object', () => {
    fc.assert(
      fc.property(text, names, (json, wanted) => {
        expect(topLevelFields(json, wanted)).toEqual(expected(json, wanted))
      }),
      { numRuns: 3000 },
    )
  })

  test('gives as text what parses to the field', () => {
    fc.assert(
      fc.property(text, names, (json, wanted) => {
        const found = topLevelFields(json, [], wanted)!
        const parsed = Object.entries(found).map(([key, raw]) => [key, JSON.parse(raw as string)])
        expect(Object.fromEntries(parsed)).toEqual(expected(json, wanted))
      }),
    )
  })

  test('gives nothing for a text that was cut, wherever it was', () => {
    fc.assert(
      fc.property(text, names, (json, wanted) => {
        const body = json.trimEnd()
        for (let end = 0; end < body.length; end++) expect(topLevelFields(body.slice(0, end), wanted)).toBeUndefined()
      }),
    )
  })

  test('never throws, and never differs from JSON.parse where both understand a text with a slip in it', () => {
    const slip = fc.tuple(text, fc.nat(), fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'x', ' ', ''))
    fc.assert(
      fc.property(slip, names, ([json, place, put], wanted) => {
        const at = place % (json.length + 1)
        const broken = json.slice(0, at) + put + json.slice(at + 1)
        const found = topLevelFields(broken, wanted)
        let parsed: unknown
        try {
          parsed = JSON.parse(broken)
        } catch {
          return
        }
        if (found !== undefined) expect(found).toEqual(expected(broken, wanted))
        else expect(typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  test.each([
    ['no object', '[{"usage":1}]'],
    ['a scalar', '7'],
    ['nothing', ''],
    ['a page', '<html><body>Bad gateway</body></html>'],
    ['two objects', '{"usage":1}{"usage":2}'],
    ['something after the object', '{"usage":1} x'],
    ['a byte order mark', '\ufeff{"usage":1}'],
    ['a value that is none', '{"usage":1,}'],
    ['a field that is no JSON', '{"usage":oops}'],
    ['no colon', '{"usage" 1}'],
    ['a key without quotes', '{usage:1}'],
    ['a key with a bad escape', '{"\\x":1,"usage":1}'],
  ])('%s gives nothing', (_, json) => {
    expect(topLevelFields(json, ['usage'])).toBeUndefined()
  })

  test('the last of two fields of one name counts, as for JSON.parse', () => {
    expect(topLevelFields('{"usage":1,"usage":2}', ['usage'])).toEqual({ usage: 2 })
    expect(topLevelFields('{"usage":1,"\\u0075sage":2}', ['usage'])).toEqual({ usage: 2 })
  })

  // In a process that can be ended: walked again for each of its quotes, they would take hours.
  test('a hundred megabytes beside the field are walked once', () => {
    const script = `
      import { topLevelFields } from ${JSON.stringify(new URL('../../src/providers/top-level.ts', import.meta.url).href)}
      const fill = '\\\\"[{'.repeat(25_000_000)
      console.log(JSON.stringify(topLevelFields('{"content":"' + fill + '","usage":{"a":1}}', ['usage'])))`
    const args = ['--no-warnings', '--input-type=module', '-e', script]
    const said = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: PATIENT.timeout })
    expect(said.trim()).toBe('{"usage":{"a":1}}')
  })
})
