// What `--help` prints, from the same data that the command line is read by.

import type { Command, Option, Options } from './command.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

const EXIT_CODES = 'Exit codes: 0 done, 1 failed, 2 the command line was wrong.'

export function overview(commands: readonly Command[], terminal: Terminal): void {
  const { paint, print } = terminal
  print(`${paint('bold', 'tallygate')}: tally every LLM call, gate every tenant's spend.`)
  print()
  print(`Usage: tallygate <command> [options]`)
  print()
  printList(
    commands.map(({ name, summary }) => [name, summary]),
    terminal,
  )
  print()
  printList(
    [
      ['<command> --help', 'What a command does, with its options and examples.'],
      ['--version', 'Print the version and stop.'],
    ],
    terminal,
  )
  print()
  print(EXIT_CODES)
}

export function helpOf(command: Command, terminal: Terminal): void {
  const { paint, print, width } = terminal
  const { name, about, options, argument, examples } = command
  print(`${paint('bold', `tallygate ${name}`)}: ${lowerFirst(command.summary)}`)
  for (const paragraph of about) {
    print()
    for (const line of wrap(paragraph, width)) print(line)
  }
  print()
  print(`Usage: tallygate ${name} ${argument ? `[${argument.name}] ` : ''}[options]`)
  print()
  const list = Object.entries(options as Options).map(([option, facts]) => [flagOf(option, facts), facts.help] as const)
  printList(argument ? [[`<${argument.name}>`, argument.help], ...list] : list, terminal)
  print()
  print('Examples:')
  for (const example of examples) print(`  ${example}`)
  print()
  print(EXIT_CODES)
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

export function flagOf(name: string, { value, multiple }: Option): string {
  return `--${name}${value === undefined ? '' : ` <${value}>`}${multiple ? ' ...' : ''}`
}

/** Two columns, the second wrapped within the width. */
function printList(items: readonly (readonly [string, string])[], { print, paint, width }: Terminal): void {
  const indent = Math.max(...items.map(([term]) => term.length)) + 4
  for (const [term, text] of items) {
    const [first = '', ...rest] = wrap(text, Math.max(20, width - indent))
    print(`  ${paint('cyan', term)}${' '.repeat(indent - term.length - 2)}${first}`)
    for (const line of rest) print(' '.repeat(indent) + line)
  }
}
