// Several processes under one limit, over each store; some of them killed in mid-flight. `npm run bench:limits`.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatUsd, parseUsd } from '../src/money.ts'
import { startPostgres, startRedis } from '../test/support/services.ts'

interface Told {
  readonly spent?: string
  readonly total?: string
  readonly calls?: number
  readonly refused?: number
  readonly operations?: number
  readonly p50?: number
  readonly p99?: number
}

const PROCESSES = 8
const SECONDS = 9

async function scene(name: string, kind: string, place: string, killed = 0, skewMs = 0, usd = '10'): Promise<void> {
  const told: Told[] = []
  let spent = 0n
  const children = Array.from({ length: PROCESSES }, (_, at) => {
    const skew = at === 0 ? skewMs : 0
    const child = fork(join(import.meta.dirname, 'limits-processes.ts'), [
      kind,
      place,
      String(SECONDS),
      String(skew),
      usd,
    ])
    child.on('message', (message: Told) => {
      if (message.spent !== undefined) spent += BigInt(message.spent)
      if (message.total !== undefined) told.push(message)
    })
    return child
  })
  if (killed > 0)
    setTimeout(() => {
      for (const child of children.slice(0, killed)) child.kill('SIGKILL')
    }, 1500)
  await Promise.all(children.map((child) => once(child, 'exit')))
  const sum = (field: 'calls' | 'operations' | 'refused') => told.reduce((all, one) => all + (one[field] ?? 0), 0)
  const worst = (field: 'p50' | 'p99') => Math.max(...told.map((one) => one[field] ?? 0))
  const over = spent - parseUsd(usd)!
  console.log(
    [
      name.padEnd(30),
      `spent $${formatUsd(spent)} of $${usd}`,
      `overshoot $${formatUsd(over > 0n ? over : 0n)}`,
      `calls ${sum('calls')}, refused ${sum('refused')}`,
      `operations a call ${(sum('operations') / sum('calls')).toFixed(3)} in all`,
      `added p50 ${worst('p50').toFixed(1)} us, p99 ${worst('p99').toFixed(0)} us (worst process, refusals not counted)`,
    ].join(' | '),
  )
}

const file = () => join(mkdtempSync(join(tmpdir(), 'tallygate-bench-')), 'limits.db')
await scene('sqlite', 'sqlite', file())
await scene('sqlite, money for all', 'sqlite', file(), 0, 0, '1000')
await scene('sqlite, 4 of 8 killed', 'sqlite', file(), 4)
for (const [kind, start] of [
  ['postgres', startPostgres],
  ['redis', startRedis],
] as const) {
  {
    await using service = await start()
    await scene(kind, kind, service.url)
  }
  {
    await using service = await start()
    await scene(`${kind}, money for all`, kind, service.url, 0, 0, '1000')
  }
  await using service = await start()
  await scene(`${kind}, one an hour ahead`, kind, service.url, 0, 3_600_000)
}
