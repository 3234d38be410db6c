#!/usr/bin/env node
// The command line: finds the command, reads its options, and turns what went wrong into one sentence and an exit code.

import { MeterError } from '../errors.ts'
import { nearest } from '../options/nearest.ts'
import { alerts } from './alerts.ts'
import { audit } from './audit.ts'
import { type Command, readValues, Stop } from './command.ts'
import { compare } from './compare.ts'
import { dashboard } from './dashboard.ts'
import { deadLetters } from './dead-letters.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { drain } from './drain.ts'
import { exportEvents } from './export-events.ts'
import { forget } from './forget.ts'
import { helpOf, overview } from './help.ts'
import { importLog } from './import-log.ts'
import { invoice } from './invoice.ts'
import { limits } from './limits-command.ts'
import { migrate } from './migrate.ts'
import { prices } from './prices.ts'
import { prune } from './prune.ts'
import { reconcile } from './reconcile.ts'
import { report } from './report.ts'
import { reprice } from './reprice.ts'
import { serve } from './serve.ts'
import { tail } from './tail.ts'
import { createTerminal, type Terminal } from './terminal.ts'
import { top } from './top.ts'
import { version } from './version.ts'

const COMMANDS: readonly Command[] = [
  report,
  tail,
  top,
  invoice,
  limits,
  prices,
  reprice,
  reconcile,
  compare,
  audit,
  dashboard,
  serve,
  alerts,
  drain,
  deadLetters,
  exportEvents,
  importLog,
  migrate,
  forget,
  prune,
  doctor,
  demo,
]

async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first, ...rest] = args
  const name = first === 'help' ? rest[0] : first
  if (name === undefined || name === '--help' || name === '-h') {
    overview(COMMANDS, terminal)
    return 0
  }
  if (name === '--version' || name === '-v') {
    terminal.print(version())
    return 0
  }
  const command = COMMANDS.find((command) => command.name === name)
  if (command === undefined) throw new Stop(2, unknownCommand(name))
  const values = readValues(command, first === 'help' ? ['--help'] : rest)
  if ('help' in values) {
    helpOf(command, terminal)
    return 0
  }
  return (await command.run(values, { terminal, env: process.env })) ?? 0
}

function unknownCommand(name: string): string {
  const names = COMMANDS.map((command) => command.name)
  const near = nearest(name, names)
  const what = name.startsWith('-') ? 'option' : 'command'
  if (what === 'command' && near !== undefined) return `There is no command \`${name}\`; did you mean \`${near}\`?`
  return `There is no ${what} \`${name}\`; the commands are ${names.join(', ')}, and \`tallygate --help\` explains them.`
}

// `tallygate report | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const terminal = createTerminal(process.stdout, process.stderr, process.env)
try {
  process.exitCode = await main(process.argv.slice(2), terminal)
} catch (error) {
  const isExpected = error instanceof Stop || error instanceof MeterError
  terminal.complain(isExpected ? error.message : `tallygate failed. ${(error as Error)?.stack ?? String(error)}`)
  process.exitCode = error instanceof Stop ? error.exitCode : 1
}
