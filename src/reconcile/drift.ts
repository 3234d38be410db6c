// Drift: volume and price apart, and when it is too much.

import type { PicoUsd } from '../money.ts'
import { expectedOf, type Line } from './lines.ts'
import type { DriftRow, Status } from './result.ts'

export interface Thresholds {
  /** Hundredths of a percent. Volume: 500 warns, 1000 fails. Price: 10 fails, since prices are no matter of chance. */
  readonly volumeWarn: number
  readonly volumeFail: number
  readonly priceFail: number
}

export const THRESHOLDS: Thresholds = { volumeWarn: 500, volumeFail: 1000, priceFail: 10 }

/** Drift that was accepted, in millionths, by model and kind of token. */
export type Accepted = Readonly<Record<string, { readonly volume?: number; readonly price?: number }>>

export function driftOf(lines: Iterable<Line>, thresholds: Thresholds, accepted: Accepted): DriftRow[] {
  const sums = new Map<
    string,
    {
      line: Line
      logged: PicoUsd
      expected: PicoUsd
      billed: PicoUsd
      ours: number
      theirs: number
      isCounted: boolean
      isBilled: boolean
    }
  >()
  for (const line of lines) {
    const name = driftName(line)
    let sum = sums.get(name)
    if (sum === undefined) {
      const nothing = { logged: 0n, expected: 0n, billed: 0n, ours: 0, theirs: 0, isCounted: false, isBilled: false }
      sums.set(name, (sum = { line, ...nothing }))
    }
    sum.logged += line.logged
    sum.expected += expectedBefore(line)
    sum.billed += line.billed ?? 0n
    sum.ours += line.loggedQuantity
    sum.theirs += line.billedQuantity
    sum.isCounted ||= line.isCounted
    sum.isBilled ||= line.rows > 0
  }
  return [...sums].map(([name, { line, ours, theirs, logged, expected, billed, isCounted, isBilled }]) => {
    const volume = theirs > 0 ? Math.round(((ours - theirs) / theirs) * 1e6) : undefined
    const price = billed > 0n && expected > 0n ? Number(((expected - billed) * 1_000_000n) / billed) : undefined
    const before = accepted[name] ?? {}
    const status = worst([
      level(
        // Of a bill that says money alone there is no volume: whatever it is off by shows in the price.
        apart(volume ?? (ours > 0 && (isCounted || !isBilled) ? -1e6 : 0), before.volume),
        thresholds.volumeWarn * 100,
        thresholds.volumeFail * 100,
      ),
      level(apart(price ?? 0, before.price), Number.POSITIVE_INFINITY, thresholds.priceFail * 100),
    ])
    return {
      model: line.model,
      type: line.type,
      loggedQuantity: ours,
      billedQuantity: isCounted || !isBilled ? theirs : undefined,
      volume,
      logged,
      expected,
      billed,
      price,
      status,
    }
  })
}

export function driftName({ model, type }: Pick<DriftRow, 'model' | 'type'>): string {
  return `${model} ${type ?? ''}`.trim()
}

/** Without the shares that the price itself is the reason of. */
function expectedBefore(line: Line): PicoUsd {
  const volume = line.shares.filter(({ quantity }) => quantity !== 0)
  return expectedOf({ ...line, shares: volume })
}

function apart(now: number, before = 0): number {
  return Math.abs(now - before)
}

function level(drift: number, warn: number, fail: number): Status {
  return drift > fail ? 'fail' : drift > warn ? 'warn' : 'ok'
}

export function worst(all: readonly Status[]): Status {
  return all.includes('fail') ? 'fail' : all.includes('warn') ? 'warn' : 'ok'
}
