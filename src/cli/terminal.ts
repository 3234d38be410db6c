// Where a command prints, how wide that is, and whether it is in colour.

import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

export interface Terminal {
  /** Columns; 80 where the output is no terminal. */
  readonly width: number
  /** Writes a line to standard output. */
  print(line?: string): void
  /** Writes a line to standard error. */
  complain(line: string): void
  /** Writes to standard output as it is. */
  write(text: string): void
  paint(style: Style, text: string): string
}

interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const USUAL_WIDTH = 80

export function createTerminal(stdout: Output, stderr: Output, env: NodeJS.ProcessEnv): Terminal {
  const isColoured = wantsColour(stdout, env)
  return {
    width: stdout.columns || USUAL_WIDTH,
    print: (line = '') => void stdout.write(`${line}\n`),
    complain: (line) => void stderr.write(`${line}\n`),
    write: (text) => void stdout.write(text),
    // Checked above: from Node 22.13 on `styleText` would look at standard output again, by rules of its own.
    paint: (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text),
  }
}

/** FORCE_COLOR, then NO_COLOR (https://no-color.org), then whether a person is looking; in that order in Node itself too. */
export function wantsColour(stdout: Output, { FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  if (NO_COLOR) return false
  return stdout.isTTY === true && TERM !== 'dumb'
}
