// Dead letters read, while the processes that write them, or send them again, go on.

import { fromWire, type LLMEvent } from '../event.ts'
import type { DeadLetter } from './dead-letters.ts'
import { foldersIn } from './spool/folder.ts'

export type { DeadLetter }

const LETTERS = /\.jsonl$/

/** Where the letters below `dir` are: those that wait, and, in a folder that says by whom, those that are being sent. */
export function rootOf(dir: string): string {
  return `${dir}/dead-letters`
}

export function filesIn(folder: string): string[] {
  const { readdirSync } = process.getBuiltinModule('node:fs')
  return (unlessGone(() => readdirSync(folder)) ?? [])
    .filter((name) => LETTERS.test(name))
    .sort()
    .map((name) => `${folder}/${name}`)
}

/** Those of every sink below `dir`, oldest first for each. */
export function* readDeadLetters(dir: string): Generator<DeadLetter> {
  const root = rootOf(dir)
  // Listed first: what is taken meanwhile is met in the folder of who took it.
  const waiting = filesIn(root)
  for (const file of [...foldersIn(root).flatMap(({ path }) => filesIn(path)), ...waiting])
    for (const { text, letter } of linesOf(bytesOf(file)))
      yield letter ?? { sink: sinkOf(file), reason: 'This line cannot be read.', at: '', event: { unreadable: text } }
}

/** None of a file that was there when it was listed, and has been sent since. */
export function bytesOf(file: string): Buffer {
  return unlessGone(() => process.getBuiltinModule('node:fs').readFileSync(file)) ?? Buffer.alloc(0)
}

export function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export interface Line {
  readonly text: string
  /** Absent where it is none, as of a process that died while it wrote. */
  readonly letter?: DeadLetter
  /** Absent where there is nothing in it that could be sent. */
  readonly event?: LLMEvent
}

export function linesOf(bytes: Buffer): Line[] {
  const texts = bytes.toString('utf8').split('\n')
  return texts.filter((text) => text !== '').map(lineOf)
}

function lineOf(text: string): Line {
  try {
    const letter = JSON.parse(text) as DeadLetter
    const { event } = letter
    if (typeof event !== 'object' || event === null) return { text }
    const id = event['event_id']
    if (typeof id !== 'string' || id === '' || 'unreadable' in event) return { text, letter }
    return { text, letter, event: fromWire(event) }
  } catch {
    return { text }
  }
}

function sinkOf(file: string): string {
  return decodeURIComponent(file.replace(/^.*\//s, '').replace(LETTERS, ''))
}
