// What metering adds to one call over loopback, to an emulator in another process: time and CPU.

import { COLUMNS, rowsOf, waysOf } from './calls.ts'
import { startPeer } from './peer.ts'
import { isQuick, report } from './report.ts'
import { anthropic, genai, openai, type Sdk } from './sdks.ts'
import { play } from './turns.ts'

const callsPerRound = 20
const size = isQuick ? { rounds: 15, warmUp: 15 } : { rounds: 200, warmUp: 60 }

const sdks: Sdk[] = isQuick ? [openai('.')] : [openai('.'), anthropic, genai]

const results = await play(
  sdks.map((sdk) => ({
    size,
    prepare: async () => {
      const peer = await startPeer('emulator')
      return { shared: peer.addresses[sdk.sdk]!, stop: async () => peer.stop() }
    },
    ways: waysOf({
      sdk,
      callsPerRound,
      target: (baseURL) => ({ baseURL }),
      hosts: (baseURL) => ({ [new URL(baseURL).host]: sdk.sdk }),
    }),
  })),
)

report({
  title: 'A call that is not streamed, over loopback (µs)',
  columns: COLUMNS,
  rows: sdks.flatMap(({ title }, at) => rowsOf(title, results[at]!)),
  notes: [`Medians of ${size.rounds} rounds of ${callsPerRound} calls to \`tallygate/emulator\` in another process.`],
})
