// The few statistics that the benchmarks need: quantiles, and the difference of two series taken in turns.

export function quantile(values: readonly number[] | Float64Array, share: number): number {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)]!
  const high = sorted[Math.ceil(at)]!
  return low + (high - low) * (at - Math.floor(at))
}

export function median(values: readonly number[] | Float64Array): number {
  return quantile(values, 0.5)
}

/** The middle of the differences of two series, pair by pair, and the half width of its 95 % interval. */
export function added(series: readonly number[], baseline: readonly number[]): { middle: number; within: number } {
  const differences = series.map((value, at) => value - baseline[at]!)
  const middle = median(differences)
  // Of the median: 1.57 interquartile ranges over the root of the count (McGill's notch).
  const within = (1.57 * (quantile(differences, 0.75) - quantile(differences, 0.25))) / Math.sqrt(differences.length)
  return { middle, within }
}
