// A wrapped SDK is provably the SDK: every call shape, unpatched and patched, under this Node; see test/shapes.

import { beforeAll, describe, expect, test } from 'vitest'
import {
  COMBINATIONS,
  columnOf,
  limitations,
  playAll,
  readPage,
  tableOf,
  titleOf,
} from '../../scripts/compatibility.mjs'

type Results = Awaited<ReturnType<typeof playAll>>

/** Each major of each SDK in one of its module systems: `npm run test:matrix` plays both, of every version, under every Node. */
const PLAYED = COMBINATIONS.filter(({ app, format }) => (app === 'current') === (format === 'cjs'))

let results: Results = []

beforeAll(async () => {
  results = await playAll(process.execPath, PLAYED)
}, 900_000)

describe('every call shape is the same with the SDK patched, is counted once, and can be refused', () => {
  test.each(PLAYED.map((it, index) => [`${it.sdk}, ${it.app} major, ${it.format}`, index] as const))(
    '%s',
    (_, index) => {
      const { rows } = results[index]!
      expect(rows.filter(({ outcome }) => outcome === 'failed')).toEqual([])
      expect(rows.length).toBeGreaterThan(40)
    },
  )
})

describe('docs/compatibility.md', () => {
  test('says of this Node what was just played', () => {
    const page = readPage()
    for (const name of new Set(results.map(titleOf))) {
      const played = results.filter((result) => titleOf(result) === name)
      const columns = played.map(columnOf)
      const written = [...(page.get(name) ?? [])].map(([shape, cells]) => [
        shape,
        Object.fromEntries(columns.map((column) => [column, cells.get(column)])),
      ])
      const now = [...tableOf(played, limitations())].map(([shape, cells]) => [shape, Object.fromEntries(cells)])
      expect(written, 'write it anew: `npm run test:matrix`').toEqual(now)
    }
  })

  test('has a cell for each SDK, version, module system and Node, and none without an explanation', () => {
    const known = new Set(['ok', ...limitations().map((_, i) => `limitation ${i + 1}`)])
    for (const [name, table] of readPage()) {
      for (const [shape, cells] of table) {
        // Its CommonJS build cannot be loaded by any Node.
        expect(cells.size, `${name}, ${shape}`).toBe(name === '@google/genai 1.0.0' ? 4 : 8)
        for (const [column, cell] of cells) expect(known, `${name} ${column}, ${shape}: ${cell}`).toContain(cell)
      }
    }
  })
})
