// A command of the command line in this process, with what it printed.

import { type Command, readValues } from '../../src/cli/command.ts'
import { createTerminal } from '../../src/cli/terminal.ts'

export interface Said {
  readonly out: string
  readonly err: string
  json(): Record<string, unknown>
}

export async function runCommand(
  command: Command,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Said> {
  let [out, err] = ['', '']
  const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: (more) => (err += more) }, {})
  await command.run(readValues(command, args), { terminal, env })
  return { out, err, json: () => JSON.parse(out) as Record<string, unknown> }
}
