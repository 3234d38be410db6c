// Answers that took long, kept for whoever asks the same again: what reads millions of events takes seconds.

import type { View } from './view-rows.ts'

export interface KeptAnswers {
  /** The answer to what has this name, and how old it is; asked once, however many want it at once. `isFresh`: asked from now on. */
  answerTo(name: string, ask: () => Promise<View>, isFresh: boolean): Promise<{ view: View; ageMs: number }>
}

interface Kept {
  readonly view: View
  readonly at: number
  readonly tookMs: number
}

/** What is quicker is asked anew each time. */
const SLOW_MS = 250
/** A server spends at most a twentieth of its time on one question that somebody looks at all day. */
const FRESH_TIMES = 20
/** Until then the old answer is given at once, and a new one is asked for meanwhile. */
const STALE_MS = 600_000
const MOST_KEPT = 50

export function createKeptAnswers(now: () => number): KeptAnswers {
  const kept = new Map<string, Kept>()
  const underWay = new Map<string, Promise<Kept>>()

  async function asked(name: string, ask: () => Promise<View>): Promise<Kept> {
    const began = now()
    const view = await ask()
    const answer = { view, at: now(), tookMs: now() - began }
    kept.delete(name)
    if (answer.tookMs >= SLOW_MS) kept.set(name, answer)
    const [oldest] = kept.keys()
    if (kept.size > MOST_KEPT) kept.delete(oldest!)
    return answer
  }

  function once(name: string, ask: () => Promise<View>): Promise<Kept> {
    let asking = underWay.get(name)
    if (asking === undefined) {
      asking = asked(name, ask).finally(() => underWay.delete(name))
      underWay.set(name, asking)
    }
    return asking
  }

  return {
    async answerTo(name, ask, isFresh) {
      // What is under way began before whoever asks anew has asked.
      if (isFresh) await underWay.get(name)?.catch(() => undefined)
      const known = isFresh ? undefined : kept.get(name)
      const ageMs = known === undefined ? Number.POSITIVE_INFINITY : now() - known.at
      if (known === undefined || ageMs > STALE_MS) {
        const { view, at } = await once(name, ask)
        return { view, ageMs: now() - at }
      }
      // Of what went wrong hears whoever asks next: there is no old answer any more.
      if (ageMs > known.tookMs * FRESH_TIMES) void once(name, ask).catch(() => kept.delete(name))
      return { view: known.view, ageMs }
    },
  }
}
