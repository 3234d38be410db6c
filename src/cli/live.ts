// What goes on until it is told to stop: a pause that a signal ends, and a screen that is drawn again and again.

import { MeterError } from '../errors.ts'
import { postgresFault } from '../postgres/faults.ts'
import { type Option, Stop } from './command.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './width.ts'

export const INTERVAL = {
  type: 'string',
  value: 'seconds',
  help: 'How often to look.',
} as const satisfies Option

export function intervalOf(text: string | undefined, usual: number): number {
  if (text === undefined) return usual * 1000
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (seconds >= 0.1) return seconds * 1000
  throw new Stop(2, `\`--interval\` takes seconds, from 0.1 to 99999; got ${JSON.stringify(text)}.`)
}

/** Resolves after so long, or as soon as it is to stop; says whether it is. */
export async function pause(ms: number, stopped: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  try {
    return await Promise.race([over, stopped.then(() => true)])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether what a ledger said is over by itself: a lock, a server that is starting. */
export function isPassing(error: unknown): error is MeterError {
  if (!(error instanceof MeterError) || error.cause === undefined) return false
  const { errcode } = error.cause as { errcode?: unknown }
  if (typeof errcode === 'number') return [5, 6].includes(errcode & 0xff)
  return postgresFault(error.cause).kind === 'passing'
}

/** The part of a terminal that is drawn on: standard output. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

export interface Drawing {
  readonly screen: Screen
  readonly terminal: Terminal
  readonly everyMs: number
  readonly stopped: Promise<unknown>
  /** Prints one picture, of this moment. */
  draw(terminal: Terminal, now: number): Promise<void>
  readonly now?: () => number
}

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR = '\u001b[2J'
const HOME = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'

/** Draws over the picture before, as high as the screen; where nobody looks, prints one picture and ends. */
export async function redraw({ screen, terminal, everyMs, stopped, draw, now = Date.now }: Drawing): Promise<void> {
  if (!screen.isTTY) return draw(terminal, now())
  const pictured = () => pictureOf(screen, terminal, draw, now())
  let picture = await pictured()
  const show = (lines: readonly string[]) => {
    const shown = lines.slice(0, Math.max(1, (screen.rows || lines.length + 1) - 1))
    screen.write(HOME + shown.map((line) => `${line}${REST_OF_LINE}\n`).join('') + REST_OF_SCREEN)
  }
  screen.write(HIDE_CURSOR + CLEAR)
  try {
    show(picture)
    while (!(await pause(everyMs, stopped))) {
      try {
        picture = await pictured()
        show(picture)
      } catch (error) {
        if (!isPassing(error)) throw error
        show([terminal.paint('yellow', printable(error.message)), ...picture])
      }
    }
  } finally {
    screen.write(SHOW_CURSOR)
  }
}

/** At the width that the screen has now. */
async function pictureOf(
  { columns }: Screen,
  terminal: Terminal,
  draw: Drawing['draw'],
  now: number,
): Promise<string[]> {
  let text = ''
  await draw(
    {
      ...terminal,
      width: columns || terminal.width,
      print: (line = '') => void (text += `${line}\n`),
      write: (more) => void (text += more),
    },
    now,
  )
  return text.replace(/\n$/, '').split('\n')
}
