// Progress of what takes longer than a second: a line a second on standard error.

import { formatCount } from '../figures.ts'
import type { Terminal } from './terminal.ts'

const EVERY_MS = 1000

/** Told how far it is, says so once a second. A new line each time: right in any log. */
export function telling(
  { complain }: Pick<Terminal, 'complain'>,
  what: string,
  now = Date.now,
): (done: number) => void {
  let next = now() + EVERY_MS
  return (done) => {
    if (now() < next) return
    next = now() + EVERY_MS
    complain(`${formatCount(done)} ${what}`)
  }
}
