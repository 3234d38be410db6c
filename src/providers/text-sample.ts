// What is looked at of texts that are too long to be counted: windows of them, evenly spread.

/** A piece of one text. */
export interface Slice {
  readonly text: string
  /** It begins or ends in the midst of its text. */
  readonly isCut: boolean
}

export interface TextSize {
  readonly texts: readonly string[]
  readonly characters: number
  readonly bytes: number
}

const WINDOWS = 16

export function sizeOf(texts: Iterable<string>): TextSize {
  const kept: string[] = []
  let characters = 0
  let bytes = 0
  for (const text of texts) {
    if (text === '') continue
    kept.push(text)
    characters += text.length
    bytes += Buffer.byteLength(text)
  }
  return { texts: kept, characters, bytes }
}

/** All of the texts as one window, or windows that together have some `wholeBytes` of them. */
export function* sampled({ texts, characters, bytes }: TextSize, wholeBytes: number): Generator<readonly Slice[]> {
  if (bytes <= wholeBytes) {
    yield texts.map((text) => ({ text, isCut: false }))
    return
  }
  const width = Math.max(1, Math.floor((wholeBytes / WINDOWS) * (characters / bytes)))
  const step = characters / WINDOWS
  let index = 0
  /** Where the text at `index` begins. */
  let before = 0
  let from = 0
  for (let window = 0; window < WINDOWS; window++) {
    from = Math.max(from, Math.floor(window * step))
    const until = Math.min(from + width, characters)
    const slices: Slice[] = []
    while (index < texts.length && from < until) {
      const text = texts[index]!
      const start = from > before ? characterEnd(text, from - before) : 0
      const end = characterEnd(text, Math.min(text.length, until - before))
      if (end > start) slices.push({ text: text.slice(start, end), isCut: start > 0 || end < text.length })
      from = Math.max(from, before + end)
      if (end < text.length) break
      before += text.length
      index++
    }
    if (slices.length > 0) yield slices
  }
}

/** The next place, from `at` on, that does not part a surrogate pair. */
export function characterEnd(text: string, at: number): number {
  const code = at < text.length ? text.charCodeAt(at - 1) : 0
  return code >= 0xd800 && code <= 0xdbff ? at + 1 : at
}
