// Which ledger a command is about, and how its path is shown.

import { statSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { resolveOptions } from '../options.ts'
import { Stop } from './command.ts'

/** By the rules of `new Meter({ dir })`, whose ledger this is. */
export function folderOf(dir: string | undefined, { TALLYGATE_DIR }: NodeJS.ProcessEnv): string {
  return resolveOptions({ dir }, { TALLYGATE_DIR }).dir
}

export function ledgerIn(folder: string): string {
  return join(folder, 'ledger.db')
}

export function existingLedgerIn(folder: string): string {
  const path = ledgerIn(folder)
  if (isThere(path)) return path
  throw new Stop(
    1,
    `There is no ledger at ${resolve(path)}: an app with \`new Meter()\` writes one into the .tallygate of the folder it runs in (\`--dir\` or TALLYGATE_DIR names another), and \`npx tallygate demo\` makes one to look at.`,
  )
}

/** Not `existsSync`, to which a folder that this user may not look into has nothing in it. */
export function isThere(path: string): boolean {
  try {
    statSync(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new Stop(1, `This user cannot look at ${resolve(path)} (${code}).`)
  }
}

/** Relative where that is a way down, and as a shell takes it. */
export function shown(path: string): string {
  const down = relative(process.cwd(), resolve(path))
  const short = down === '' || down.startsWith('..') || isAbsolute(down) ? resolve(path) : down
  return /^[\w@%+=:,./\\-]+$/.test(short) ? short : `'${short.replaceAll("'", `'\\''`)}'`
}
