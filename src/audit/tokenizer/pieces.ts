// How a text is cut into pieces none of whose tokens reaches into the next: the `pre_tokenizer` of a tokenizer file.

import { isObject } from '../../providers/counts.ts'
import { listOf } from './normalizers.ts'
import { patternOf, unsupported } from './pattern.ts'

/** `isFirst`: the piece begins its text. */
export type Cutter = (piece: string, isFirst: boolean) => readonly string[]

export interface Pieces {
  readonly cut: Cutter
  /** Its pieces are bytes, each as the character that GPT-2 gave it. */
  readonly isByteLevel: boolean
}

/** The words of GPT-2: openai/gpt-2, encoder.py. */
const GPT2 = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

export function piecesOf(described: unknown): Pieces {
  if (described === null || described === undefined) return { cut: (piece) => [piece], isByteLevel: false }
  if (!isObject(described)) throw unsupported('its pre-tokenizer is no object')
  const { type } = described
  switch (type) {
    case 'Sequence': {
      const steps = listOf(described['pretokenizers']).map(piecesOf)
      return {
        cut: (piece, isFirst) =>
          steps.reduce<readonly string[]>(
            (pieces, { cut }) => pieces.flatMap((one, i) => cut(one, isFirst && i === 0)),
            [piece],
          ),
        isByteLevel: steps.some(({ isByteLevel }) => isByteLevel),
      }
    }
    case 'ByteLevel': {
      const takesWords = described['use_regex'] !== false
      const hasPrefix = described['add_prefix_space'] === true
      return {
        isByteLevel: true,
        cut: (piece, isFirst) => {
          const whole = hasPrefix && isFirst && !piece.startsWith(' ') ? ` ${piece}` : piece
          return (takesWords ? [...whole.matchAll(GPT2)].map(([word]) => word) : [whole]).map(toByteCharacters)
        },
      }
    }
    case 'Split':
      return { cut: splitter(described), isByteLevel: false }
    case 'Digits': {
      const digits = described['individual_digits'] === true ? /\p{N}/gu : /\p{N}+/gu
      return { cut: (piece) => isolated(piece, digits), isByteLevel: false }
    }
    case 'Metaspace':
      return { cut: metaspace(described), isByteLevel: false }
    default:
      throw unsupported(`its pre-tokenizer is of the type ${JSON.stringify(type ?? null)}`)
  }
}

function splitter({ pattern, behavior, invert }: Record<string, unknown>): Cutter {
  const expression = patternOf(pattern, 'its pre-tokenizer')
  const isInverted = invert === true
  switch (behavior) {
    case 'Isolated':
      return (piece) => isolated(piece, expression)
    case 'Removed':
      return (piece) =>
        isInverted ? [...piece.matchAll(expression)].map(([match]) => match) : piece.split(expression).filter(isText)
    case 'MergedWithPrevious':
    case 'MergedWithNext':
      if (isInverted) break
      return (piece) => merged(piece, expression, behavior === 'MergedWithNext')
  }
  throw unsupported(`its pre-tokenizer splits by ${JSON.stringify(behavior ?? null)}`)
}

function isText(piece: string): boolean {
  return piece !== ''
}

/** The matches and what is between them. */
function isolated(piece: string, expression: RegExp): readonly string[] {
  const pieces: string[] = []
  let end = 0
  for (const match of piece.matchAll(expression)) {
    if (match[0] === '') continue
    if (match.index > end) pieces.push(piece.slice(end, match.index))
    pieces.push(match[0])
    end = match.index + match[0].length
  }
  if (end < piece.length) pieces.push(piece.slice(end))
  return pieces
}

/** Each match is one with what stands before it, or behind. */
function merged(piece: string, expression: RegExp, isWithNext: boolean): readonly string[] {
  const pieces: string[] = []
  let start = 0
  for (const match of piece.matchAll(expression)) {
    const seam = isWithNext ? match.index : match.index + match[0].length
    if (seam > start) pieces.push(piece.slice(start, seam))
    start = Math.max(start, seam)
  }
  if (start < piece.length) pieces.push(piece.slice(start))
  return pieces
}

function metaspace({ replacement, prepend_scheme, add_prefix_space, split }: Record<string, unknown>): Cutter {
  const mark = typeof replacement === 'string' && replacement !== '' ? replacement : '\u2581'
  const marks = patternOf({ String: mark }, 'its pre-tokenizer')
  const scheme = prepend_scheme ?? (add_prefix_space === false ? 'never' : 'always')
  return (piece, isFirst) => {
    if (piece === '') return []
    const marked = piece.replaceAll(' ', mark)
    const isPrepended = !marked.startsWith(mark) && (scheme === 'always' || (scheme === 'first' && isFirst))
    const whole = isPrepended ? mark + marked : marked
    return split === false ? [whole] : merged(whole, marks, true)
  }
}

/** GPT-2 wrote each byte as a character that can be seen: those that can be are themselves, the others follow 255. */
const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const isSeen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
    return String.fromCharCode(isSeen ? byte : next++)
  })
})()

function toByteCharacters(piece: string): string {
  let made = ''
  for (const byte of Buffer.from(piece)) made += BYTE_CHARACTERS[byte]
  return made
}
