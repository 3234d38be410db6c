// A report as a file, where the command line says.

import { writeFileSync } from 'node:fs'
import { Stop } from './command.ts'

export function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (cause) {
    throw new Stop(1, `The file ${path} cannot be written (${(cause as NodeJS.ErrnoException).code}).`)
  }
}
