// What metering adds to one call that is not streamed: time and CPU, with a `fetch` that answers at once.

import { answering, CHAT, CONTENT, MESSAGE } from './answers.ts'
import { COLUMNS, rowsOf, waysOf } from './calls.ts'
import { isQuick, report } from './report.ts'
import { anthropic, genai, openai } from './sdks.ts'
import { play } from './turns.ts'

/** So many that the processor's caches hold what a call needs, after what the others have left in them. */
const callsPerRound = 400
const size = isQuick ? { rounds: 10, warmUp: 20 } : { rounds: 100, warmUp: 50 }

const entrants = [
  { sdk: openai('.'), answer: CHAT },
  { sdk: openai('next'), answer: CHAT },
  { sdk: anthropic, answer: MESSAGE },
  { sdk: genai, answer: CONTENT },
]

const results = await play(
  entrants.map(({ sdk, answer }) => ({
    size,
    ways: waysOf({ sdk, callsPerRound, target: () => ({ fetch: answering(answer) }) }),
  })),
)

report({
  title: 'A call that is not streamed, `fetch` answering at once (µs)',
  columns: COLUMNS,
  rows: entrants.flatMap(({ sdk }, at) => rowsOf(sdk.title, results[at]!)),
  notes: [
    `Medians of ${size.rounds} rounds of ${callsPerRound} calls; added: of the differences from the plain SDK in the same turn, with their 95 % interval.`,
    'At best: the same of the fastest tenth of the rounds, where the machine did nothing else. The second row of each SDK is the plain SDK once more: the noise.',
    'CPU is of all threads and includes delivery: to a sink that forgets, in the last row to the embedded ledger on disk.',
  ],
})
