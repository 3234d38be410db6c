// Rows read from the JSON of the wire without parsing it: the same as with, or none.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromWire } from '../../src/event.ts'
import { EVENT_COLUMNS, toRow } from '../../src/sinks/columns.ts'
import { createRowReader } from '../../src/sinks/wire/rows.ts'
import { checkWireEvent } from '../../src/wire.ts'
import { CALL, meaning, modelOf, type Wire, wireEvent } from '../support/wire-events.ts'

/** One that has seen events of these shapes often enough. */
function readerOf(...events: readonly Wire[]) {
  const reader = createRowReader()
  for (let times = 0; times < 3; times++) for (const event of events) reader.learn(JSON.stringify(event))
  return reader
}

const rowOf = (json: string) => toRow(fromWire(JSON.parse(json) as Wire))

describe('an event of a shape that came before', () => {
  test('gives the row that parsing it gives', () => {
    const json = JSON.stringify(CALL)
    const reader = readerOf(CALL)
    const row = reader.read(json, 0)
    expect(meaning(row)).toEqual(meaning(rowOf(json)))
    expect(row?.[EVENT_COLUMNS.findIndex(({ field }) => field === 'costUsd')]).toBe(6_400_000_000)
    expect(reader.end).toBe(json.length)
  })

  test('is read wherever it stands in a text', () => {
    const json = JSON.stringify(CALL)
    const reader = readerOf(CALL)
    expect(reader.read(`[${json},${json}]`, 1)).toEqual(reader.read(json, 0))
    const second = reader.read(`[${json},${json}]`, json.length + 2)
    expect(reader.end).toBe(json.length * 2 + 2)
    expect(second).toEqual(reader.read(json, 0))
  })

  test('is not read the first three times, and is not forgotten while it is of use', () => {
    const json = JSON.stringify(CALL)
    const reader = createRowReader()
    for (let times = 0; times < 3; times++) {
      expect(reader.read(json, 0)).toBeUndefined()
      reader.learn(json)
    }
    expect(reader.read(json, 0)).toBeDefined()
    const names = Object.keys(CALL)
    for (let at = 1; at < 16; at++) {
      const turned = [...names.slice(at), ...names.slice(0, at)]
      const other = JSON.stringify(Object.fromEntries(turned.map((name) => [name, CALL[name]])))
      for (let times = 0; times < 3; times++) reader.learn(other)
    }
    expect(reader.read(json, 0)).toBeDefined()
    for (const more of ['app_name', 'team']) {
      for (let times = 0; times < 3; times++) reader.learn(JSON.stringify({ ...CALL, [more]: 'x' }))
    }
    expect(reader.read(json, 0)).toBeDefined()
  })

  test.each<[what: string, json: string]>([
    ['nothing', ''],
    ['what is no JSON', '{"schema_version":1'],
    ['a text with an escape', JSON.stringify({ ...CALL, model: 'a"b' })],
    ['a control character', JSON.stringify(CALL).replace('gpt-5', 'gpt\u0001')],
    ['white space', JSON.stringify(CALL, null, 1)],
    ['a null', JSON.stringify({ ...CALL, model: null })],
    ['an empty id', JSON.stringify({ ...CALL, event_id: '' })],
    ['an id that is too long', JSON.stringify({ ...CALL, event_id: 'x'.repeat(257) })],
    ['a text that is too long', JSON.stringify({ ...CALL, model: 'x'.repeat(1025) })],
    ['a time of no calendar', JSON.stringify({ ...CALL, timestamp: '2026-13-22T09:33:47.123Z' })],
    ['a time with a zone', JSON.stringify({ ...CALL, timestamp: '2026-11-22T09:33:47.123+01:00' })],
    ['a count with a fraction', JSON.stringify({ ...CALL, input_tokens: 1.5 })],
    ['a negative count', JSON.stringify({ ...CALL, input_tokens: -1 })],
    [
      'a count that is not exact',
      JSON.stringify(CALL).replace('"input_tokens":1200', '"input_tokens":9007199254740993'),
    ],
    ['a number with a leading zero', JSON.stringify(CALL).replace('"input_tokens":1200', '"input_tokens":01200')],
    ['a status with a leading zero', JSON.stringify(CALL).replace('"status":200', '"status":020')],
    ['a list with a comma at its end', JSON.stringify(CALL).replace('"billable":"yes"}]', '"billable":"yes"},]')],
    ['a source of usage that there is not', JSON.stringify({ ...CALL, usage_source: 'guessed' })],
    ['money with 13 digits behind the point', JSON.stringify({ ...CALL, cost_usd: '0.0000000000001' })],
    ['a count that comes twice', JSON.stringify(CALL).replace('"output":340', '"output":340,"output":1')],
    ['a scalar that comes twice', JSON.stringify(CALL).replace('"is_last":true', '"is_last":true,"is_last":false')],
    ['a request id that comes twice', JSON.stringify(CALL).replace('"yes"}', '"yes","request_id":"req_2"}')],
    ['a line of costs with two rates', JSON.stringify(CALL).replace('"rate"', '"rate":"a","rate"')],
    ['a line of costs without a rate', JSON.stringify(CALL).replace(',"rate":"openai/gpt-5"', '')],
    ['a moment after midnight as 24:00', JSON.stringify({ ...CALL, timestamp: '2026-11-22T24:00:00.001Z' })],
    ['a newer version', JSON.stringify({ ...CALL, schema_version: 2 })],
  ])('with %s it is left to whoever parses it', (_, json) => {
    expect(readerOf(CALL).read(json, 0)).toBeUndefined()
  })

  test.each<[what: string, over: Wire]>([
    ['an unknown field', { ...CALL, colour: 'red' }],
    ['a model for each of several', { ...CALL, usage_by_model: { a: { input: 1 } } }],
    ['no event id', Object.fromEntries(Object.entries(CALL).filter(([name]) => name !== 'event_id'))],
  ])('with %s there is never a pattern for it', (_, event) => {
    expect(readerOf(event).read(JSON.stringify(event), 0)).toBeUndefined()
  })

  test('a thousand strange shapes later only one in 64 is looked at', () => {
    const reader = createRowReader()
    for (let number = 0; number < 1000; number++) reader.learn(JSON.stringify({ [`x${number}`]: 1 }))
    for (let times = 0; times < 63; times++) reader.learn(JSON.stringify(CALL))
    expect(reader.read(JSON.stringify(CALL), 0)).toBeUndefined()
    for (let times = 0; times < 3 * 64; times++) reader.learn(JSON.stringify(CALL))
    expect(reader.read(JSON.stringify(CALL), 0)).toBeDefined()
  })
})

describe('any event', () => {
  test('is read as parsing reads it, or is not read', () => {
    let count = 0
    fc.assert(
      fc.property(wireEvent, (event) => {
        const json = JSON.stringify(event)
        const row = readerOf(modelOf(event)).read(json, 0)
        if (row === undefined) return
        count++
        expect(checkWireEvent(JSON.parse(json))).toBe(true)
        expect(meaning(row)).toEqual(meaning(rowOf(json)))
      }),
      { numRuns: 2000 },
    )
    expect(count).toBeGreaterThan(10)
  })

  test('with a character too many, too few or another is read as parsing reads it, or is not read', () => {
    const json = JSON.stringify(CALL)
    const reader = readerOf(CALL)
    const slip = fc.tuple(
      fc.nat(json.length),
      fc.nat(2),
      fc.oneof(fc.constantFrom(...Array.from('{}[]:,"\\0.e-'), ''), fc.string({ maxLength: 2 })),
    )
    fc.assert(
      fc.property(slip, ([at, gone, put]) => {
        const other = json.slice(0, at) + put + json.slice(at + gone)
        const row = reader.read(other, 0)
        if (row === undefined || reader.end !== other.length) return
        expect(checkWireEvent(JSON.parse(other))).toBe(true)
        expect(meaning(row)).toEqual(meaning(rowOf(other)))
      }),
      { numRuns: 5000 },
    )
  })
})
