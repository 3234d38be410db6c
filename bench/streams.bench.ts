// What metering adds to a stream: for each chunk, and once, before the first and after the last, with a `fetch` that answers at once.

import { streaming } from './answers.ts'
import { isQuick, plus, report } from './report.ts'
import { type Streams, streamsWay } from './streams.ts'
import { type Contest, play } from './turns.ts'

const LONG = 500
const SHORT = 10
const NOTHING_HIDDEN = 'nothing hidden: the caller asks for usage'
const HIDDEN = '`usage: null` hidden: the caller does not ask'

function contest(chunks: number, streamsPerRound: number, size: Contest['size'], asksForUsage: boolean): Contest {
  const shared = { asksForUsage, isMetered: false, streamsPerRound, target: () => ({ fetch: streaming(chunks) }) }
  const ways: Streams[] = [
    { ...shared, name: 'plain SDK' },
    { ...shared, name: 'plain again' },
    { ...shared, name: 'metered, priced, held', isMetered: true },
  ]
  // The provider sends more to whom it is asked for usage: the same bytes, read by the SDK alone.
  if (!asksForUsage) ways.push({ ...shared, name: 'plain SDK, asking', asksForUsage: true })
  return { size, ways: ways.map(streamsWay) }
}

const short = isQuick ? { rounds: 10, warmUp: 20 } : { rounds: 100, warmUp: 60 }
const long = isQuick ? { rounds: 20, warmUp: 20 } : { rounds: 200, warmUp: 60 }
const kinds = [NOTHING_HIDDEN, HIDDEN]
const contests = kinds.flatMap((kind) => [
  contest(SHORT, 150, short, kind === NOTHING_HIDDEN),
  contest(LONG, 3, long, kind === NOTHING_HIDDEN),
])
const results = await play(contests)

report({
  title: 'A stream, `fetch` answering at once (µs)',
  columns: [
    'stream',
    'way',
    'to the first chunk',
    'added',
    'from the last to the end',
    'added',
    'added to a stream',
    'at best',
    'a chunk',
    'added to a chunk',
    'at best',
  ],
  rows: kinds.flatMap((kind, at) => {
    const once = results[at * 2]!
    const many = results[at * 2 + 1]!
    return contests[at * 2]!.ways.map(({ name }, index) => [
      kind,
      name,
      once.of(name, 'first').toFixed(1),
      index === 0 ? '' : plus(once.added(name, 'first')),
      once.of(name, 'end').toFixed(1),
      index === 0 ? '' : plus(once.added(name, 'end')),
      index === 0 ? '' : `${plus(once.added(name, 'fixed'))} ± ${once.within(name, 'fixed').toFixed(1)}`,
      index === 0 ? '' : plus(once.addedAtBest(name, 'fixed')),
      many.of(name, 'each').toFixed(2),
      index === 0 ? '' : `${plus(many.added(name, 'each'), 2)} ± ${many.within(name, 'each').toFixed(2)}`,
      index === 0 ? '' : plus(many.addedAtBest(name, 'each'), 2),
    ])
  }),
  notes: [
    `What is added once is of streams of ${SHORT} chunks, what is added to a chunk of streams of ${LONG}; each event is a chunk of the body of its own.`,
    'A provider that is asked for usage sends it as `null` in every chunk and once more at the end: `plain SDK, asking` reads the bytes that the metered way reads.',
  ],
})
