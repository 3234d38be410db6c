// When a batch that was not taken is sent again.

const FIRST_MS = 500
const LONGEST_MS = 60_000
/** A sink may ask for more patience than our own longest wait, up to here. */
const LONGEST_ASKED_MS = 300_000

/** How long a paused sink is left alone: its credentials or its address must change first, which a person does. */
export const PAUSE_MS = 60_000

/**
 * The wait before the next attempt. Full jitter: anywhere between nothing and a ceiling that doubles with each
 * failure, so that a thousand processes do not come back to a server that restarts at the same moment.
 * What the sink asks for (`afterMs`) is a floor, with the first step's jitter on top.
 */
export function retryDelay(failures: number, afterMs: number | undefined, random: () => number): number {
  if (afterMs !== undefined && afterMs > 0) return Math.min(afterMs, LONGEST_ASKED_MS) + random() * FIRST_MS
  return random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16))
}
