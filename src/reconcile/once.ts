// Tells what is there twice, in one file or in the parts of an export, and where it was first.

import { stopAt } from './fields.ts'

/** Where a line is: in which of the files, and on which line of it. */
export interface LinePlace {
  readonly file: number
  readonly line: number
  /** For messages. */
  readonly where: string
}

export interface Once {
  /** Stops at a line, or an id, that was seen before. */
  see(text: string, place: LinePlace): void
  /** Stops at what another one of the files has too. */
  seeElsewhere(text: string, place: LinePlace): void
}

/** More lines than any file has, so that a place is one number. */
const LINES = 2 ** 40

/** `what`: `the line`, `requestId`. By hashes of 53 bits: the texts of a million lines would take a gigabyte, and two that meet by chance are not to be expected. */
export function createOnce(what: string, files: readonly string[]): Once {
  const seen = new Map<number, number>()

  /** Where it was first; `undefined` where it is new. */
  function first(text: string, { file, line }: LinePlace): { file: number; line: number } | undefined {
    const hash = hashOf(text)
    const known = seen.get(hash)
    if (known === undefined) seen.set(hash, file * LINES + line)
    return known === undefined ? undefined : { file: Math.floor(known / LINES), line: known % LINES }
  }

  const shown = ({ file, line }: { file: number; line: number }, { file: own }: LinePlace) =>
    `line ${line}${file === own ? '' : ` of ${files[file]}`}`

  return {
    see(text, place) {
      const known = first(text, place)
      if (known !== undefined)
        stopAt(place.where, what, 'one that is there once', `the same as on ${shown(known, place)}`)
    },
    seeElsewhere(text, place) {
      const known = first(text, place)
      if (known !== undefined && known.file !== place.file)
        stopAt(
          place.where,
          what,
          'in one of the files',
          `what is on ${shown(known, place)} with other figures: the exports overlap`,
        )
    },
  }
}

/** cyrb53: two runs of 32 bits over the text. */
function hashOf(text: string): number {
  let [one, two] = [0xdeadbeef, 0x41c6ce57]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    one = Math.imul(one ^ code, 2_654_435_761)
    two = Math.imul(two ^ code, 1_597_334_677)
  }
  one = Math.imul(one ^ (one >>> 16), 2_246_822_507) ^ Math.imul(two ^ (two >>> 13), 3_266_489_909)
  two = Math.imul(two ^ (two >>> 16), 2_246_822_507) ^ Math.imul(one ^ (one >>> 13), 3_266_489_909)
  return 4_294_967_296 * (2_097_151 & two) + (one >>> 0)
}
