// The few statistics that the benchmarks need.

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

/** Half the width of the 95 % interval of a median: 1.57 interquartile ranges over the root of the count (McGill's notch). */
export function uncertainty(values: readonly number[]): number {
  return (1.57 * (quantile(values, 0.75) - quantile(values, 0.25))) / Math.sqrt(values.length)
}
