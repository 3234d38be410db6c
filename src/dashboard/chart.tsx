// Spend over time as stacked bars from zero, and beside them what the bar under the pointer is made of.

import { useEffect, useRef, useState } from 'preact/hooks'
import UPlot from 'uplot'
import { exactMoney, usdColumn } from '../figures.ts'
import type { Series } from './api.ts'
import { picoOf } from './figures.ts'
import { bucketText, type Step, tickText } from './zone.ts'

export interface ChartProps {
  readonly series: Series
  readonly every: Step
  readonly zone: string
  /** What the bars are of: `Spend by model`. */
  readonly title: string
  /** What a row without a key is called. */
  readonly none: string
  /** Where the same figures are as CSV. */
  readonly csv: string
}

const HEIGHT = 240
const COLORS = 8

interface Line {
  readonly name: string
  readonly costs: readonly bigint[]
  readonly color: string
}

export function Chart({ series, every, zone, title, none, csv }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const [at, setAt] = useState<number | undefined>(undefined)
  const [showsTable, setShowsTable] = useState(false)
  const starts = series.buckets.map((start) => Date.parse(start))
  const lines = linesOf(series, none)
  const isDark = useDark()

  useEffect(() => {
    const place = box.current
    if (place === null || starts.length === 0) return undefined
    const plot = draw(place, { starts, lines, every, zone, setAt })
    const watch = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }))
    watch.observe(place)
    return () => {
      watch.disconnect()
      plot.destroy()
    }
  }, [series, every, zone, isDark])

  const picked = at !== undefined && at < starts.length ? at : undefined
  const sums = lines.map(({ costs }) =>
    picked === undefined ? costs.reduce((sum, cost) => sum + cost, 0n) : costs[picked]!,
  )
  const all = sums.reduce((sum, each) => sum + each, 0n)
  const usd = usdColumn([...sums, all])
  return (
    <figure class="chart">
      <div ref={box} role="img" aria-label={`${title}: a bar for each ${every}. Show as a table has the figures.`} />
      <figcaption>
        <p class="when">{picked === undefined ? 'In this range' : bucketText(starts[picked]!, every, zone)}</p>
        <ul class="legend">
          {lines.map(({ name, color }, i) => (
            <li key={`${i} ${name}`}>
              <span class={`swatch color-${color}`} />
              <bdi title={name}>{name}</bdi>
              <span class="sum" title={exactMoney(sums[i]!)}>
                {usd(sums[i]!)}
              </span>
            </li>
          ))}
          {lines.length > 1 && (
            <li class="all">
              <span class="swatch" />
              <span>Total</span>
              <span class="sum" title={exactMoney(all)}>
                {usd(all)}
              </span>
            </li>
          )}
        </ul>
        <div class="more">
          <button type="button" class="link" aria-expanded={showsTable} onClick={() => setShowsTable(!showsTable)}>
            {showsTable ? 'Hide the table' : 'Show as a table'}
          </button>
          <a href={csv} download="">
            CSV
          </a>
        </div>
      </figcaption>
      {showsTable && <Figures starts={starts} lines={lines} every={every} zone={zone} title={title} />}
    </figure>
  )
}

function Figures({
  starts,
  lines,
  every,
  zone,
  title,
}: Pick<ChartProps, 'every' | 'zone' | 'title'> & { starts: readonly number[]; lines: readonly Line[] }) {
  const usd = usdColumn(lines.flatMap(({ costs }) => costs))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached without a mouse
    <section class="scroll low" tabIndex={0} aria-label={`${title}, as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="text">
              From
            </th>
            {lines.map(({ name }, i) => (
              <th key={`${i} ${name}`} scope="col">
                <bdi>{name}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {starts.map((start, i) => (
            <tr key={start}>
              <th scope="row" class="text">
                {bucketText(start, every, zone)}
              </th>
              {lines.map(({ name, costs }, line) => (
                <td key={`${line} ${name}`}>{usd(costs[i]!)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function linesOf(series: Series, none: string): Line[] {
  const lines = series.rows.map(({ key, is_other, cost_usd }, i) => ({
    name: is_other ? 'All others' : (key ?? none),
    costs: cost_usd.map((usd) => picoOf(usd)),
    color: is_other ? 'other' : String(i % COLORS),
  }))
  // What costs nothing, or nobody knows what, has no bar.
  const costly = lines.filter(({ costs }) => costs.some((cost) => cost !== 0n))
  return costly.length === 0 ? lines.slice(0, 1) : costly
}

interface Drawing {
  readonly starts: readonly number[]
  readonly lines: readonly Line[]
  readonly every: Step
  readonly zone: string
  readonly setAt: (at: number | undefined) => void
}

function draw(place: HTMLElement, { starts, lines, every, zone, setAt }: Drawing): UPlot {
  const style = getComputedStyle(place)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const [ink, rule] = [color('--muted'), color('--rule')]
  const font = `12px ${style.fontFamily}`
  /** Each bar reaches as high as it and all before it; the highest is drawn first, and the others over it. */
  const heights = starts.map(() => 0)
  const stacked = lines.map(({ costs }) => costs.map((cost, i) => (heights[i] = heights[i]! + Number(cost) / 1e12)))
  const bars = UPlot.paths.bars!({ size: [0.72, 56], align: 0 })
  const top = Math.max(0, ...heights)
  const bottom = Math.min(0, ...stacked.flat())
  return new UPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: [-0.6, starts.length - 0.4] },
        y: { range: [bottom * 1.05, top === 0 ? 1 : top * 1.05] },
      },
      axes: [
        {
          stroke: ink,
          font,
          grid: { show: false },
          ticks: { show: false },
          size: 28,
          space: 70,
          incrs: [1, 2, 3, 4, 6, 7, 12, 14, 24, 28, 48, 56, 96, 168, 336, 720],
          values: (_, places) => places.map((i) => (starts[i] === undefined ? '' : tickText(starts[i], every, zone))),
        },
        {
          stroke: ink,
          font,
          grid: { stroke: rule, width: 1 },
          ticks: { show: false },
          size: (_, labels) => 12 + 7.2 * Math.max(0, ...(labels ?? []).map(({ length }) => length)),
          values: (_, places) => {
            const sums = places.map((dollars) => BigInt(Math.round(dollars * 1e6)) * 1_000_000n)
            return sums.map(usdColumn(sums))
          },
        },
      ],
      series: [
        {},
        ...stacked
          .map((_, i) => ({
            fill: color(`--chart-${lines[i]!.color}`),
            width: 0,
            paths: bars,
            points: { show: false },
          }))
          .reverse(),
      ],
      hooks: { setCursor: [({ cursor }) => setAt(cursor.idx ?? undefined)] },
    },
    [starts.map((_, i) => i), ...[...stacked].reverse()],
    place,
  )
}

/** What is painted does not change its colours by itself. */
function useDark(): boolean {
  const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches)
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)')
    const follow = () => setDark(query.matches)
    query.addEventListener('change', follow)
    return () => query.removeEventListener('change', follow)
  }, [])
  return isDark
}
