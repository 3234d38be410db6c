// Byte-pair encoding by the merges of a tokenizer file, counting only; of any length in a time that hardly grows faster than it.

import { isObject } from '../../providers/counts.ts'
import { unsupported } from './pattern.ts'

export type CountPiece = (piece: string) => number

/** Ids stay below, so that a pair of them is one exact number. */
const MOST_IDS = 2 ** 24

export function mergesOf(model: Record<string, unknown>): CountPiece {
  const { vocab, merges } = model
  if (!isObject(vocab) || !Array.isArray(merges)) throw unsupported('its model has no vocabulary or no merges')
  for (const name of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'])
    if (model[name]) throw unsupported(`its model uses \`${name}\``)
  const ids = new Map<string, number>()
  for (const [token, id] of Object.entries(vocab)) if (isId(id)) ids.set(token, id)
  if (ids.size === 0) throw unsupported('its vocabulary is empty')
  const ranks = new Map<number, number>()
  const made: number[] = []
  for (const merge of merges as readonly unknown[]) {
    const [left, right] = pairOf(merge)
    const [l, r, both] = [ids.get(left), ids.get(right), ids.get(left + right)]
    if (l === undefined || r === undefined || both === undefined)
      throw unsupported('a merge speaks of a token that the vocabulary does not have')
    const key = l * MOST_IDS + r
    if (!ranks.has(key)) ranks.set(key, made.length)
    made.push(both)
  }
  const hasBytes = model['byte_fallback'] === true && ids.has('<0x00>')
  const isFused = model['fuse_unk'] === true
  const isWholeFirst = model['ignore_merges'] === true

  /** Ids of the characters; below 0 for what is none of the vocabulary. */
  function symbolsOf(piece: string): number[] {
    const symbols: number[] = []
    for (const character of piece) {
      const id = ids.get(character)
      if (id !== undefined) symbols.push(id)
      else if (hasBytes) for (const byte of Buffer.from(character)) symbols.push(ids.get(byteToken(byte)) ?? -1)
      else if (!isFused || symbols.at(-1) !== -1) symbols.push(-1)
    }
    return symbols
  }

  return (piece) => {
    if (piece === '') return 0
    if (isWholeFirst && ids.has(piece)) return 1
    return countMerged(symbolsOf(piece), ranks, made)
  }
}

function isId(id: unknown): id is number {
  return Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < MOST_IDS
}

/** `"a b"` in older files, `["a", "b"]` in newer ones. */
function pairOf(merge: unknown): readonly [string, string] {
  if (typeof merge === 'string') {
    const space = merge.indexOf(' ', 1)
    if (space > 0) return [merge.slice(0, space), merge.slice(space + 1)]
  }
  if (Array.isArray(merge) && typeof merge[0] === 'string' && typeof merge[1] === 'string') return [merge[0], merge[1]]
  throw unsupported('a merge of it is no pair')
}

export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}

/** The pair of the lowest rank first, of several the leftmost: what is left when none can be merged. */
function countMerged(symbols: number[], ranks: ReadonlyMap<number, number>, made: readonly number[]): number {
  const next = symbols.map((_, at) => at + 1)
  const previous = symbols.map((_, at) => at - 1)
  const queue: Merge[] = []
  const offer = (left: number): void => {
    const right = next[left]!
    if (right >= symbols.length || symbols[left]! < 0 || symbols[right]! < 0) return
    const rank = ranks.get(symbols[left]! * MOST_IDS + symbols[right]!)
    if (rank !== undefined) push(queue, { rank, left, right, leftId: symbols[left]!, rightId: symbols[right]! })
  }
  for (let at = 0; at + 1 < symbols.length; at++) offer(at)
  let count = symbols.length
  for (let merge = pop(queue); merge !== undefined; merge = pop(queue)) {
    const { rank, left, right, leftId, rightId } = merge
    // One of the two has become part of another token since.
    if (symbols[left] !== leftId || symbols[right] !== rightId || next[left] !== right) continue
    symbols[left] = made[rank]!
    symbols[right] = GONE
    const after = next[right]!
    next[left] = after
    if (after < symbols.length) previous[after] = left
    count--
    offer(left)
    if (previous[left]! >= 0) offer(previous[left]!)
  }
  return count
}

const GONE = -2

interface Merge {
  readonly rank: number
  readonly left: number
  readonly right: number
  readonly leftId: number
  readonly rightId: number
}

function isBefore(a: Merge, b: Merge): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.left < b.left)
}

/** A binary heap. */
function push(heap: Merge[], merge: Merge): void {
  let at = heap.push(merge) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(merge, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = merge
}

function pop(heap: Merge[]): Merge | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
