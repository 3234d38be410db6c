// A command as data, and the reading of a command line by it.

import { parseArgs } from 'node:util'
import { nearest } from '../options/nearest.ts'
import type { Terminal } from './terminal.ts'

export interface Option {
  readonly type: 'string' | 'boolean'
  /** May be given several times. */
  readonly multiple?: boolean
  readonly short?: string
  /** What its value is called in the help: `--dir <folder>`. */
  readonly value?: string
  /** Nothing of it stands in a message: half of one may be taken for an argument, where it has a space. */
  readonly isSecret?: boolean
  /** One sentence for the help. */
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>

export type Values<O extends Options> = {
  readonly [Name in keyof O]?: O[Name]['type'] extends 'boolean'
    ? boolean
    : O[Name]['multiple'] extends true
      ? readonly string[]
      : string
} & { readonly argument?: string; readonly arguments?: readonly string[] }

export interface Setting {
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
}

export interface Command<O extends Options = Options> {
  readonly name: string
  /** One line in the list of commands. */
  readonly summary: string
  /** What a person should know before using it: paragraphs. */
  readonly about: readonly string[]
  readonly options: O
  /** What may stand behind the name of the command, without an option before it: once, or so many times. */
  readonly argument?: { readonly name: string; readonly help: string; readonly most?: number }
  readonly examples: readonly string[]
  /** Resolves to the exit code; nothing is 0. */
  run(values: Values<O>, setting: Setting): Promise<number | undefined>
}

export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return { ...command, options: { ...command.options, ...COMMON } } as unknown as Command
}

/** On every command; `--dir` is defined here too, so that it means the same everywhere. */
const COMMON = {
  help: { type: 'boolean', short: 'h', help: 'Print this and stop.' },
} as const satisfies Options

export const DIR = {
  type: 'string',
  value: 'folder',
  help: 'Where the ledger is. Default: $TALLYGATE_DIR, else ./.tallygate',
} as const satisfies Option

/** Ends the program with one sentence: 1 where something failed, 2 where the command line was wrong. */
export class Stop extends Error {
  readonly exitCode: number

  constructor(exitCode: 1 | 2, sentence: string) {
    super(sentence)
    this.name = 'Stop'
    this.exitCode = exitCode
  }
}

/** The values of a command line. Throws a `Stop` of one sentence for one that the command does not understand. */
export function readValues(command: Command, args: readonly string[]): Values<Options> {
  const { options, name } = command
  // Not strict: its sentences speak of `parseArgs` users rather than of this command.
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...options },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Record<string, unknown> = {}
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    const { arguments: taken = [] } = values as { arguments?: readonly string[] }
    if (token.kind === 'positional' && taken.length < (command.argument ? (command.argument.most ?? 1) : 0)) {
      values['argument'] ??= token.value
      values['arguments'] = [...taken, token.value]
      continue
    }
    if (token.kind === 'positional' && command.argument)
      throw new Stop(
        2,
        `\`${name}\` takes ${command.argument.most === undefined ? 'one ' : ''}${command.argument.name}, got ${JSON.stringify(token.value)} besides.`,
      )
    if (token.kind === 'positional') {
      const got = Object.values(options).some(({ isSecret }) => isSecret)
        ? 'something else'
        : JSON.stringify(token.value)
      throw new Stop(2, `\`${name}\` takes options only, got ${got}${hint('', [], name)}`)
    }
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (option === undefined)
      throw new Stop(2, `\`${name}\` has no option \`${token.rawName}\`${hint(token.name, Object.keys(options), name)}`)
    if (option.type === 'boolean') {
      if (token.value !== undefined)
        throw new Stop(2, `\`--${token.name}\` takes no value, got ${JSON.stringify(token.value)}.`)
      values[token.name] = true
      continue
    }
    const isNext = token.value?.startsWith('-') === true && token.inlineValue === false
    if (token.value === undefined || token.value === '' || isNext)
      throw new Stop(2, `\`--${token.name}\` needs a value: \`--${token.name} <${option.value}>\`.`)
    if (option.multiple) values[token.name] = [...((values[token.name] as string[] | undefined) ?? []), token.value]
    else if (token.name in values) throw new Stop(2, `\`--${token.name}\` can be given once only.`)
    else values[token.name] = token.value
  }
  return values as Values<Options>
}

function hint(typed: string, options: readonly string[], command: string): string {
  const name = nearest(typed, options)
  return name === undefined ? `; \`tallygate ${command} --help\` lists them.` : `; did you mean \`--${name}\`?`
}
