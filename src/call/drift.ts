// How far our counts of tokens are from what providers bill, by model, and whether that changed from one day to the next.

import type { ProblemReporter } from '../problems.ts'

/** Of one model: tokens as counted before the call, over tokens as the provider reported them. */
export interface TokenRatio {
  /** What it is now, as a moving average. */
  readonly ratio: number
  /** How many calls it is the ratio of: those that were counted anyway, for a close ceiling. */
  readonly calls: number
}

export interface Drift {
  note(model: string, counted: number, reported: number): void
  readonly ratios: Readonly<Record<string, TokenRatio>>
}

/** Below, what stands around a prompt is too large a part of it. */
const FEWEST_TOKENS = 100
/** So many calls make a ratio that others can be held against, and so many in a row, all off by a tenth, a step. */
const CALLS_OF_A_BASE = 8
const CALLS_OF_A_STEP = 4
const STEP = 0.1
const MODELS_REMEMBERED = 200

interface Track {
  ratio: number
  calls: number
  /** Ratios in a row that are off to the same side. */
  off: number[]
}

export function createDrift(problems: ProblemReporter): Drift {
  const tracks = new Map<string, Track>()

  function step(model: string, track: Track): void {
    const before = track.ratio
    track.ratio = track.off.reduce((sum, ratio) => sum + ratio, 0) / track.off.length
    track.off = []
    const [old, now] = [before.toFixed(2), track.ratio.toFixed(2)]
    const message =
      `Tokenizer or hidden-token drift: what is counted of prompts of ${JSON.stringify(model.slice(0, 100))} was ${old} ` +
      `of the input that its provider reports, and is ${now}. Estimates and ceilings of that model go by the old count.`
    problems.report({ kind: 'usage', message }, `drift:${model}:${old}:${now}`)
  }

  return {
    note(model, counted, reported) {
      if (!(reported >= FEWEST_TOKENS && counted >= 1)) return
      const ratio = counted / reported
      const track = tracks.get(model)
      if (!track) {
        if (tracks.size < MODELS_REMEMBERED) tracks.set(model, { ratio, calls: 1, off: [] })
        return
      }
      track.calls++
      const change = ratio / track.ratio - 1
      if (track.calls <= CALLS_OF_A_BASE || Math.abs(change) < STEP) {
        track.off = []
        track.ratio += (ratio - track.ratio) / Math.min(track.calls, 32)
        return
      }
      if (track.off.length > 0 && track.off[0]! > track.ratio !== change > 0) track.off = []
      track.off.push(ratio)
      if (track.off.length >= CALLS_OF_A_STEP) step(model, track)
    },
    get ratios() {
      return Object.fromEntries([...tracks].map(([model, { ratio, calls }]) => [model, { ratio, calls }]))
    },
  }
}
