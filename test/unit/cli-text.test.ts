// What a terminal shows: widths, cut names, and tables that fit.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Column, layOut } from '../../src/cli/table.ts'
import { cut, padEnd, padStart, printable, widthOf, wrap } from '../../src/cli/width.ts'

describe('widthOf', () => {
  test.each([
    ['', 0],
    ['acme', 4],
    ['café', 4],
    ['cafe\u0301', 4],
    ['株式会社', 8],
    ['한국어', 6],
    ['ｱｲｳ', 3],
    ['ＡＢＣ', 6],
    ['👩‍🚀', 2],
    ['🇳🇴', 2],
    ['❤', 1],
    ['❤️', 2],
    ['→ …', 3],
    ['\u200b', 0],
  ])('%j takes %i columns', (text, columns) => {
    expect(widthOf(text)).toBe(columns)
  })
})

describe('cut', () => {
  test.each([
    ['acme', 4, 'acme'],
    ['acme-corp', 6, 'acme-…'],
    ['acme', 1, '…'],
    ['acme', 0, ''],
    ['株式会社', 5, '株式…'],
    ['株式会社', 6, '株式…'],
    ['👩‍🚀👩‍🚀👩‍🚀', 4, '👩‍🚀…'],
  ])('%j to %i columns is %j', (text, width, expected) => {
    expect(cut(text, width)).toBe(expected)
  })

  test('never takes more than it may, and padding fills the rest', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(30), (text, width) => {
        const kept = cut(text, width)
        expect(widthOf(kept)).toBeLessThanOrEqual(width)
        expect(widthOf(padEnd(kept, width))).toBe(width)
        expect(widthOf(padStart(kept, width))).toBe(width)
      }),
    )
  })
})

describe('printable', () => {
  test.each([
    ['gpt-6-sol', 'gpt-6-sol'],
    ['株式会社 👩‍🚀', '株式会社 👩‍🚀'],
    ['a\u001b[2Jb', 'a�[2Jb'],
    ['one\r\ntwo', 'one��two'],
    ['\u009b31m', '�31m'],
    ['safe\u202egnp.exe', 'safe�gnp.exe'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test('leaves nothing that a terminal would obey', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })
})

test('wrap breaks between words, and lets a long one stand alone', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three'])
  expect(wrap('a https://example.com/very/long b', 10)).toEqual(['a', 'https://example.com/very/long', 'b'])
})

describe('layOut', () => {
  const columns: Column[] = [
    { title: 'tenant', least: 6 },
    { title: 'calls' },
    { title: 'errors', dispensable: 1 },
    { title: 'cost' },
    { title: '', gap: 0, align: 'left' },
  ]
  const rows = [
    ['acme', '1', '0', '$0.25', ''],
    ['initech-holdings', '1,234', '7', '$1,000.00', '~'],
  ]

  test('names stand on the left, figures on the right, marks close to their figure', () => {
    const { header, lines, leftOut } = layOut(columns, rows, 80)
    expect([header, ...lines]).toEqual([
      'tenant            calls  errors       cost',
      'acme                  1       0      $0.25',
      'initech-holdings  1,234       7  $1,000.00~',
    ])
    expect(leftOut).toEqual([])
  })

  test('where there is no room the name gives way first', () => {
    const { lines } = layOut(columns, rows, 35)
    expect(lines).toEqual(['acme          1       0      $0.25', 'initech…  1,234       7  $1,000.00~'])
    expect(widthOf(lines[1]!)).toBe(35)
  })

  test('and then a column that can be spared', () => {
    const { header, lines, leftOut } = layOut(columns, rows, 30)
    expect(leftOut).toEqual(['errors'])
    expect(header).not.toContain('errors')
    expect(lines[1]).toBe('initech-ho…  1,234  $1,000.00~')
  })

  test('a colour does not change where anything stands', () => {
    const paint = (text: string) => `<${text}>`
    const { lines } = layOut(columns, [['acme', '1', '0', { text: '$0.25', paint }, '']], 80)
    expect(lines[0]).toBe('acme        1       0  <$0.25>')
  })

  test('every line fits, whatever the names are', () => {
    const names = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(
        fc.array(names, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 40, max: 100 }),
        (tenants, width) => {
          const { header, lines } = layOut(
            columns,
            tenants.map((tenant) => [tenant, '999,999', '12', '$12,345.67', '~*']),
            width,
          )
          for (const line of [header, ...lines]) expect(widthOf(line)).toBeLessThanOrEqual(width)
        },
      ),
    )
  })
})
