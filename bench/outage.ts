// An endpoint that is down for a minute under a thousand events a second, then back with bad manners:
// `npm run bench:outage`, `npm run bench:outage -- --down 10 --unwell 5`.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { outageScene } from '../test/support/outage.ts'
import { quantile } from './statistics.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '1000' },
    well: { type: 'string', default: '20' },
    down: { type: 'string', default: '60' },
    unwell: { type: 'string', default: '30' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'tallygate-outage-'))
const { recorded, lost, doubled, messages, undisturbed, disturbed, heap, drainSeconds } = await outageScene({
  folder,
  eventsPerSecond: Number(values.rate),
  wellSeconds: Number(values.well),
  downSeconds: Number(values.down),
  unwellSeconds: Number(values.unwell),
})
const micros = (times: Float64Array) => [0.5, 0.99, 0.999].map((part) => quantile(times, part).toFixed(0)).join(' / ')
console.log(
  `${recorded} events, ${values.rate} a second; ${values.down} s down, ${values.unwell} s with bad manners: ${lost.length} lost, ${doubled} counted twice.`,
)
console.log(
  `The caller's time for each, p50 / p99 / p99.9 in µs: undisturbed ${micros(undisturbed)}, disturbed ${micros(disturbed)}.`,
)
console.log(`Heap: ${heap[0]} MB before, ${heap[1]} MB at the end of the outage, ${heap[2]} MB at the end.`)
console.log(`What was left when it was well again was delivered in ${drainSeconds.toFixed(1)} s.`)
console.log(`Said: ${messages.join(' | ')}`)
rmSync(folder, { recursive: true })
if (lost.length + doubled > 0) process.exit(1)
