// What metering adds to one call over loopback, to an emulator in another process: time and CPU.

import { COLUMNS, rowsOf, waysOf } from './calls.ts'
import { startPeer } from './peer.ts'
import { isQuick, plus, report } from './report.ts'
import { anthropic, genai, openai, type Sdk } from './sdks.ts'
import { streamsWay } from './streams.ts'
import { type Contest, play } from './turns.ts'

const callsPerRound = 20
const size = isQuick ? { rounds: 15, warmUp: 15 } : { rounds: 200, warmUp: 300 }

const sdks: Sdk[] = isQuick ? [openai('.')] : [openai('.'), anthropic, genai]

const emulated = (sdk: Sdk['sdk']): NonNullable<Contest['prepare']> => {
  return async () => {
    const peer = await startPeer('emulator')
    return { shared: peer.addresses[sdk]!, stop: async () => peer.stop() }
  }
}
const target = (baseURL: string) => ({ baseURL })
const hosts = (sdk: Sdk['sdk']) => (baseURL: string) => ({ [new URL(baseURL).host]: sdk })

const calls = sdks.map(
  (sdk): Contest => ({
    size,
    prepare: emulated(sdk.sdk),
    ways: waysOf({ sdk, callsPerRound, target, hosts: hosts(sdk.sdk) }),
  }),
)
const streamed = { asksForUsage: false, isMetered: false, streamsPerRound: 10, target, hosts: hosts('openai') }
const streams: Contest = {
  size,
  prepare: emulated('openai'),
  ways: [
    { ...streamed, name: 'plain SDK' },
    { ...streamed, name: 'plain again' },
    { ...streamed, name: 'metered, priced, held', isMetered: true },
  ].map(streamsWay),
}

const results = await play([...calls, streams])

report({
  title: 'A call that is not streamed, over loopback (µs)',
  columns: COLUMNS,
  rows: sdks.flatMap(({ title }, at) => rowsOf(title, results[at]!)),
  notes: [`Medians of ${size.rounds} rounds of ${callsPerRound} calls to \`tallygate/emulator\` in another process.`],
})

const { of, added, within, addedAtBest } = results.at(-1)!
report({
  title: 'A stream of openai over loopback (µs)',
  columns: ['way', 'to the first chunk', 'added', 'at best', 'CPU a stream', 'added'],
  rows: streams.ways.map(({ name }, at) => [
    name,
    of(name, 'first').toFixed(0),
    at === 0 ? '' : `${plus(added(name, 'first'), 0)} ± ${within(name, 'first').toFixed(0)}`,
    at === 0 ? '' : plus(addedAtBest(name, 'first'), 0),
    of(name, 'cpu').toFixed(0),
    at === 0 ? '' : plus(added(name, 'cpu'), 0),
  ]),
})
