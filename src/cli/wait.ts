// How long a command tries again where a sink does not take what it delivers.

import { type Option, Stop } from './command.ts'
import { printable } from './width.ts'

/** An endpoint that restarts, or asks for a moment, is back by then. */
const WAIT_S = 30

export const WAIT = {
  type: 'string',
  value: 'seconds',
  help: `How long to try again where it is not taken. Default: ${WAIT_S}; with 0 it is tried once.`,
} as const satisfies Option

export function waitMs(given = String(WAIT_S)): number {
  if (/^\d{1,5}$/.test(given)) return Number(given) * 1000
  throw new Stop(2, `\`--wait\` is a whole number of seconds, as in \`--wait 120\`; got \`${printable(given)}\`.`)
}
