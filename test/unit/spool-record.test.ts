// The lines of a spool, the JSON of an event in it, and what is not one.

import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  crc32,
  decodeHeader,
  decodeRecord,
  encodeHeader,
  encodeRecord,
  ownCrc32,
} from '../../src/delivery/spool/record.ts'
import { wireJson } from '../../src/delivery/wire-json.ts'
import { EVENT_FIELDS, type LLMEvent, toWire } from '../../src/event.ts'

describe('a record', () => {
  test('is read as it was written, whatever its JSON holds', () => {
    fc.assert(
      fc.property(fc.constantFrom('event', 'reserve', 'settle'), fc.jsonValue(), (kind, value) => {
        const json = JSON.stringify(value)
        const line = encodeRecord(kind, json)
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(decodeRecord(line.subarray(0, -1))).toEqual({ kind, json })
      }),
    )
  })

  test('is refused when any one of its bytes has changed', () => {
    const line = Buffer.from(encodeRecord('event', '{"tenant_id":"Ümläut"}')).subarray(0, -1)
    for (let at = 0; at < line.length; at++) {
      const changed = Buffer.from(line)
      changed[at]! ^= 1
      expect(decodeRecord(changed), `byte ${at}`).toEqual(expect.any(String))
    }
  })

  test.each([
    ['', 'it is no record'],
    ['short', 'it is no record'],
    ['00000000 event {}', 'its checksum is wrong'],
    ['{"event_id":"e1","tenant_id":"acme"}', 'it is no record'],
  ])('is not %j', (line, reason) => {
    expect(decodeRecord(Buffer.from(line))).toBe(reason)
  })

  test('has the checksum of zlib, on a Node without it too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(ownCrc32(text)).toBe(zlibCrc32(text))
        expect(ownCrc32(Buffer.from(text))).toBe(crc32(text))
      }),
    )
  })
})

describe('the header of a segment', () => {
  const header = { owes: ['http', 'own#2'], pid: 7, host: 'box' }

  test('says what it owes', () => {
    expect(decodeHeader(encodeHeader(header).trimEnd())).toEqual(header)
  })

  test.each([
    ['tallygate-spool 2 {"owes":[]}', 'newer'],
    ['tallygate-spool 1 {"owes":"http"}', 'foreign'],
    ['tallygate-spool 1 {', 'foreign'],
    ['tallygate-spool x {}', 'foreign'],
    ['SQLite format 3', 'foreign'],
    ['', 'foreign'],
  ] as const)('is not %j', (line, what) => {
    expect(decodeHeader(line)).toBe(what)
  })
})

describe('the JSON of an event', () => {
  const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.constant(null))
  const list = fc.array(fc.dictionary(fc.constantFrom('requestId', 'costUsd', 'bucket', 'status', '"'), scalar))
  const value = fc.oneof(scalar, fc.jsonValue(), fc.dictionary(fc.string(), scalar), list, fc.constant(undefined))

  test('is that of toWire, whatever its fields hold', () => {
    const lists = fc.record({ attempts: list, costLines: list }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...EVENT_FIELDS), value), lists, (fields, more) => {
        delete fields['attempts']
        delete fields['costLines']
        delete fields['usageBounds']
        const event = { ...fields, ...more } as unknown as LLMEvent
        expect(JSON.parse(wireJson(event))).toEqual(JSON.parse(JSON.stringify(toWire(event))))
      }),
      { numRuns: 500 },
    )
  })

  test('throws for what no JSON can hold, so that whoever keeps it can say so', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    expect(() => wireJson({ tags: circle } as unknown as LLMEvent)).toThrow(TypeError)
    expect(() => wireJson({ tags: { big: 1n } } as unknown as LLMEvent)).toThrow(TypeError)
  })
})
