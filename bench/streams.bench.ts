// What metering adds to a stream: until its first chunk, for each chunk, and at its end, with a `fetch` that answers at once.

import { streaming } from './answers.ts'
import { limited } from './meters.ts'
import { isQuick, plus, report } from './report.ts'
import { openai, openaiStream } from './sdks.ts'
import { median } from './statistics.ts'
import { cpuMicros, type Figures, play, type Way } from './turns.ts'

const CHUNKS = 500
const streamsPerRound = 5
const size = isQuick ? { rounds: 25, warmUp: 25 } : { rounds: 300, warmUp: 60 }
const sdk = openai('.')

type Stream = AsyncIterable<{ readonly choices: readonly unknown[] }>

function way(name: string, asksForUsage: boolean, isMetered: boolean): Way {
  return {
    name,
    async open() {
      const { module, call } = await openaiStream('.', { fetch: streaming(CHUNKS) }, asksForUsage)
      const meter = isMetered ? await limited(sdk, { module, call }) : undefined
      const one = meter ? () => meter.forTenant('acme', call) : call
      const shown = asksForUsage ? CHUNKS + 1 : CHUNKS
      return async () => {
        const before = meter?.stats().calls ?? 0
        const figures = await timed(one, shown, () => meter?.flush())
        if (meter && meter.stats().calls - before !== streamsPerRound) throw new Error('A stream was not metered.')
        return figures
      }
    },
  }
}

async function timed(call: () => Promise<Stream>, shown: number, after: () => unknown): Promise<Figures> {
  const first: number[] = []
  const each: number[] = []
  const end: number[] = []
  const cpu = cpuMicros()
  for (let at = 0; at < streamsPerRound; at++) {
    let chunks = 0
    let firstAt = 0
    let lastAt = 0
    const start = performance.now()
    for await (const chunk of await call()) {
      if (++chunks === 1) firstAt = performance.now()
      if (chunks === shown) lastAt = performance.now()
      if ('usage' in chunk && chunks < 2 && shown === CHUNKS) throw new Error('A key that nobody asked for is shown.')
    }
    const endAt = performance.now()
    if (chunks !== shown) throw new Error(`${chunks} chunks were shown, not ${shown}.`)
    first.push((firstAt - start) * 1000)
    each.push(((lastAt - firstAt) * 1000) / (shown - 1))
    end.push((endAt - lastAt) * 1000)
  }
  await after()
  return {
    first: median(first),
    each: median(each),
    end: median(end),
    cpu: (cpuMicros() - cpu) / streamsPerRound,
  }
}

const contests = [
  {
    title: 'nothing hidden: the caller asks for usage',
    size,
    ways: [way('plain SDK', true, false), way('plain again', true, false), way('metered, limited', true, true)],
  },
  {
    title: '`usage: null` hidden, beside the same bytes',
    size,
    ways: [
      way('plain SDK, asking for usage', true, false),
      way('plain SDK, not asking', false, false),
      way('metered, limited', false, true),
    ],
  },
]
const results = await play(contests)

report({
  title: `A stream of ${CHUNKS} chunks, \`fetch\` answering at once (µs)`,
  columns: [
    'stream',
    'way',
    'to the first chunk',
    'added',
    'a chunk',
    'added',
    'the end',
    'added',
    'CPU a stream',
    'added',
  ],
  rows: contests.flatMap(({ title, ways }, at) =>
    ways.map(({ name }, index) => {
      const { of, added, within } = results[at]!
      const cells = (figure: string, digits: number) => [
        of(name, figure).toFixed(digits),
        index === 0
          ? ''
          : figure === 'each'
            ? `${plus(added(name, figure), digits)} ± ${within(name, figure).toFixed(digits)}`
            : plus(added(name, figure), digits),
      ]
      return [title, name, ...cells('first', 1), ...cells('each', 2), ...cells('end', 1), ...cells('cpu', 0)]
    }),
  ),
  notes: [
    `Medians of ${size.rounds} rounds of ${streamsPerRound} streams, each event a chunk of the body of its own.`,
    'A provider sends `usage` in every chunk once it is asked for it: the row of the plain SDK that does not ask reads fewer bytes.',
  ],
})
