// A running 95th percentile in a hundred bytes: counts by size, the old ones fading.

export interface Quantile {
  readonly count: number
  add(value: number): void
  /** A value that 19 of 20 do not pass, at most 9 % too high; the highest, while there are fewer than 20. */
  read(): number
}

/** Eight to a doubling, from a 64th of the first value to 64 times it. */
const PER_DOUBLING = 8
const BUCKETS = 96
/** Values in all; then all counts are halved, so that what is new outweighs what is long past. */
const FULL = 512
const SHARE_ABOVE = 0.05

export function createQuantile(): Quantile {
  const counts = new Uint16Array(BUCKETS)
  let count = 0
  /** The logarithm of the lowest bucket's lower end. */
  let base = Number.NaN
  /** Of values beyond the last bucket, and exact where all values are the same. */
  let highest = 0

  function fade(): void {
    count = 0
    for (let at = 0; at < BUCKETS; at++) count += counts[at]! >>= 1
  }

  return {
    get count() {
      return count
    },
    add(value) {
      const log = Math.log2(Math.max(value, 1)) * PER_DOUBLING
      if (Number.isNaN(log)) return
      if (Number.isNaN(base)) base = Math.floor(log) - BUCKETS / 2
      const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(log - base)))
      counts[bucket]!++
      if (++count >= FULL) {
        fade()
        highest = 0
      }
      if (value > highest) highest = value
    },
    read() {
      let above = 0
      const most = count * SHARE_ABOVE
      for (let at = BUCKETS - 1; at >= 0; at--) {
        above += counts[at]!
        if (above <= most || above === 0) continue
        const upper = Math.ceil(2 ** ((at + 1 + base) / PER_DOUBLING))
        return at === BUCKETS - 1 ? highest : Math.min(upper, Math.max(highest, upper / 2 ** (1 / PER_DOUBLING)))
      }
      return 0
    },
  }
}
