// How far one sink has got with one spool, on disk: everything before it is settled.

import type { Place } from './tape.ts'

/** Events that were given up before the sink had them, until it is told so. */
export interface Loss {
  readonly events: number
  readonly eventId: string
  readonly timestamp: string
}

export interface Cursor {
  readonly place: Place
  readonly loss: Loss | undefined
  moveTo(place: Place): void
  lose(loss: Loss | undefined): void
  /** Writes it down, if it has moved since; throws what the disk throws. */
  save(): void
  /** When it was written last, of `performance.now()`. */
  readonly savedAt: number
  readonly isSaved: boolean
}

const FIRST: Place = { segment: 0, offset: 0 }

/** Of a spool that is new, and has none on disk yet. */
export function newCursor(folder: () => string, sink: string): Cursor {
  return createCursor(folder, fileOf(sink), { place: FIRST, loss: undefined })
}

/** Of a spool that another process began; `isPlace`: whether there is such a place in it. */
export function openCursor(folder: () => string, sink: string, isPlace: (place: Place) => boolean): Cursor {
  const found = load(`${folder()}/${fileOf(sink)}`)
  return createCursor(folder, fileOf(sink), isPlace(found.place) ? found : { place: FIRST, loss: found.loss })
}

function fileOf(sink: string): string {
  return `cursor-${encodeURIComponent(sink)}.json`
}

const FILE = /^cursor-(.+)\.json$/

/** The sinks that have a cursor in the folder. */
export function sinksWithCursor(folder: string): string[] {
  const names = process.getBuiltinModule('node:fs').readdirSync(folder)
  return names.flatMap((name) => FILE.exec(name)?.slice(1).map(decodeURIComponent) ?? [])
}

function createCursor(folder: () => string, name: string, from: Pick<Cursor, 'place' | 'loss'>): Cursor {
  let { place, loss } = from
  let savedAt = Number.NEGATIVE_INFINITY
  let isSaved = true

  return {
    get place() {
      return place
    },
    get loss() {
      return loss
    },
    get savedAt() {
      return savedAt
    },
    get isSaved() {
      return isSaved
    },
    moveTo(next) {
      place = next
      isSaved = false
    },
    lose(next) {
      loss = next
      isSaved = false
    },
    save() {
      if (isSaved) return
      const { renameSync, writeFileSync } = process.getBuiltinModule('node:fs')
      const path = `${folder()}/${name}`
      writeFileSync(`${path}.new`, JSON.stringify({ ...place, ...(loss && { loss }) }))
      renameSync(`${path}.new`, path)
      savedAt = performance.now()
      isSaved = true
    },
  }
}

/** What cannot be read begins at the beginning: an event that comes twice counts once, one that never comes is lost. */
function load(path: string): { place: Place; loss: Loss | undefined } {
  try {
    const { segment, offset, loss } = JSON.parse(process.getBuiltinModule('node:fs').readFileSync(path, 'utf8')) as {
      segment: unknown
      offset: unknown
      loss?: Loss
    }
    if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset))
      return { place: { segment: segment as number, offset: offset as number }, loss: isLoss(loss) ? loss : undefined }
  } catch {
    return { place: FIRST, loss: undefined }
  }
  return { place: FIRST, loss: undefined }
}

function isLoss(loss: Loss | undefined): loss is Loss {
  return Number.isSafeInteger(loss?.events) && loss!.events > 0 && typeof loss!.eventId === 'string'
}
