// What `import 'tallygate'` costs a process that starts.

import { spawnSync } from 'node:child_process'
import { isQuick, plus, report } from './report.ts'
import { median, uncertainty } from './statistics.ts'

const RUNS = isQuick ? 11 : 41

/** Measured inside of the process, around the import alone. */
const SCRIPT = (specifier: string) => `
  const cpu = process.cpuUsage()
  const start = performance.now()
  await import(${JSON.stringify(specifier)})
  const { user, system } = process.cpuUsage(cpu)
  process.stdout.write(JSON.stringify({ time: performance.now() - start, cpu: (user + system) / 1000 }))
`

const MODULES = [
  { name: 'an empty module', specifier: 'data:text/javascript,' },
  { name: 'tallygate', specifier: import.meta.resolve('tallygate') },
  { name: 'openai, for comparison', specifier: import.meta.resolve('openai') },
]

const series = MODULES.map(() => ({ time: [] as number[], cpu: [] as number[] }))
for (let run = 0; run < RUNS; run++) {
  for (const [at, { specifier }] of MODULES.entries()) {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT(specifier)], {
      encoding: 'utf8',
    })
    const { time, cpu } = JSON.parse(stdout) as { time: number; cpu: number }
    series[at]!.time.push(time)
    series[at]!.cpu.push(cpu)
  }
}

report({
  title: 'Importing (ms)',
  columns: ['module', 'time', 'CPU', 'added CPU'],
  rows: MODULES.map(({ name }, at) => {
    const { time, cpu } = series[at]!
    const empty = median(series[0]!.cpu)
    return [
      name,
      median(time).toFixed(1),
      `${median(cpu).toFixed(1)} ± ${uncertainty(cpu).toFixed(1)}`,
      at === 0 ? '' : plus(median(cpu) - empty),
    ]
  }),
  notes: [`Medians of ${RUNS} processes each, in turns.`],
})
