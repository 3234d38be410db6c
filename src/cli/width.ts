// How many columns a text takes on a terminal, and texts made to fit so many.

const PLAIN = /^[\x20-\x7e]*$/
/** Drawn two columns wide: East Asian scripts, full-width forms, and what is an emoji by default. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Yi}\p{Script=Bopomofo}\p{Emoji_Presentation}\u3000-\u303e\u3099-\u30ff\uff01-\uff60\uffe0-\uffe6]/u
/** Of those scripts, the half-width forms. */
const HALF_WIDTH = /[\uff61-\uffdc]/
/** U+FE0F asks for the emoji of a sign that also has a plain form. */
const AS_EMOJI = /\p{Emoji}\ufe0f/u
const NOTHING_TO_SEE = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u
/** Line breaks, cursor movements, marks that turn the direction of writing: joiners of emoji are the only ones let through. */
const MOVES = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu

let segmenter: Intl.Segmenter | undefined

function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function graphemeWidth(grapheme: string): number {
  if (NOTHING_TO_SEE.test(grapheme)) return 0
  if (AS_EMOJI.test(grapheme)) return 2
  return WIDE.test(grapheme) && !HALF_WIDTH.test(grapheme) ? 2 : 1
}

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  return graphemes(text).reduce((sum, grapheme) => sum + graphemeWidth(grapheme), 0)
}

/** The text itself where it fits, and else its beginning and `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width < 1) return ''
  let kept = ''
  let taken = 1
  for (const grapheme of graphemes(text)) {
    taken += graphemeWidth(grapheme)
    if (taken > width) break
    kept += grapheme
  }
  return `${kept}…`
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text
}

/** The text without anything that a terminal would obey rather than show: model names come from whoever may post events. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replace(MOVES, '�')
}

/** The words of a text, in lines. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
