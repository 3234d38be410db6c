// The folder of one spool: `<id>.<owner>`, so that one rename takes it over, with whose it is from then on.

import { eventId } from '../../event.ts'
import { FREE, type Owner, ownerOf, ownerWord, ownIdentity } from './owner.ts'

export interface SpoolFolder {
  readonly id: string
  readonly owner: Owner | typeof FREE
  readonly path: string
}

const ID = /^[0-9a-f-]{36}$/
const SEGMENT = /^(\d{8})\.log$/
const ALIVE = 'alive'

export function newFolder(root: string): SpoolFolder {
  return folderOf(root, eventId(Date.now()), ownIdentity())
}

function folderOf(root: string, id: string, owner: Owner | typeof FREE): SpoolFolder {
  return { id, owner, path: `${root}/${id}.${owner === FREE ? FREE : ownerWord(owner)}` }
}

/** The spools below `root`, oldest first: their ids begin with the time. What is no spool of ours is passed over. */
export function foldersIn(root: string): SpoolFolder[] {
  const { readdirSync } = process.getBuiltinModule('node:fs')
  const found: SpoolFolder[] = []
  for (const name of namesIn(root, readdirSync)) {
    const dot = name.indexOf('.')
    const id = name.slice(0, dot)
    const owner = dot > 0 && ID.test(id) ? ownerOf(name.slice(dot + 1)) : undefined
    if (owner !== undefined) found.push({ id, owner, path: `${root}/${name}` })
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1))
}

function namesIn(root: string, readdir: (path: string) => string[]): string[] {
  try {
    return readdir(root)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}

/**
 * Makes a dead process's spool ours, or gives `undefined`: of several that try at once, a rename lets exactly one win.
 * The heartbeat comes first, so that whoever looks at the new name finds it fresh.
 */
export function claim(root: string, folder: SpoolFolder): SpoolFolder | undefined {
  const claimed = folderOf(root, folder.id, ownIdentity())
  try {
    beat(folder)
    process.getBuiltinModule('node:fs').renameSync(folder.path, claimed.path)
    return claimed
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Gives a spool up with what is in it: the next process takes it without asking whether we live. */
export function release(root: string, folder: SpoolFolder): void {
  process.getBuiltinModule('node:fs').renameSync(folder.path, folderOf(root, folder.id, FREE).path)
}

/** Says that the owner lives. */
export function beat({ path }: SpoolFolder): void {
  const { closeSync, openSync, utimesSync } = process.getBuiltinModule('node:fs')
  const now = Date.now() / 1000
  try {
    utimesSync(`${path}/${ALIVE}`, now, now)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    closeSync(openSync(`${path}/${ALIVE}`, 'a'))
  }
}

/** When the owner said so last, in epoch milliseconds of its own clock. */
export function lastBeat({ path }: SpoolFolder): number | undefined {
  const { statSync } = process.getBuiltinModule('node:fs')
  const stat = statSync(`${path}/${ALIVE}`, { throwIfNoEntry: false }) ?? statSync(path, { throwIfNoEntry: false })
  return stat?.mtimeMs
}

export interface SegmentFile {
  readonly number: number
  readonly bytes: number
}

export function segmentPath(folder: string, number: number): string {
  return `${folder}/${String(number).padStart(8, '0')}.log`
}

export function segmentsIn(folder: string): SegmentFile[] {
  const { readdirSync, statSync } = process.getBuiltinModule('node:fs')
  return readdirSync(folder)
    .flatMap((name) => {
      const match = SEGMENT.exec(name)
      return match ? [{ number: Number(match[1]), bytes: statSync(`${folder}/${name}`).size }] : []
    })
    .sort((a, b) => a.number - b.number)
}

/** Removes a spool that holds nothing any more. What is not ours in it is left (`strange`: segments), and the folder with it. */
export function remove({ path }: SpoolFolder, strange: ReadonlySet<number> = new Set()): void {
  const { readdirSync, rmdirSync, rmSync } = process.getBuiltinModule('node:fs')
  try {
    for (const name of readdirSync(path)) {
      const number = SEGMENT.exec(name)?.[1]
      const isOurs = number === undefined ? name === ALIVE || /^cursor-/.test(name) : !strange.has(Number(number))
      if (isOurs) rmSync(`${path}/${name}`, { force: true })
    }
    rmdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY') throw error
  }
}
