// Kills an application at a random moment under load, again and again, each time in the folder that the one before left behind.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const POLL_MS = 5
const APP = join(import.meta.dirname, 'crash-app.ts')

export interface Round {
  /** Calls whose `await` had gone on when the process was killed. */
  readonly seen: number
  readonly said: string
}

/** Starts the application, lets it make calls for so long, and kills it as nothing can be caught. */
export async function killUnderLoad(
  folder: string,
  round: number,
  ms: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Round> {
  const SEEN = join(folder, 'seen.txt')
  const before = existsSync(SEEN) ? statSync(SEEN).size : 0
  const child = spawn(process.execPath, ['--no-warnings', APP], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TALLYGATE_DIR: join(folder, 'dir'), SEEN, ROUND: String(round), ...env },
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  const ended = once(child, 'close')
  // Under load, not while it starts.
  while ((existsSync(SEEN) ? statSync(SEEN).size : 0) === before && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  // A moment at random is the point: nothing is waited for.
  await new Promise((resolve) => setTimeout(resolve, ms))
  child.kill('SIGKILL')
  await ended
  return { seen: idsSeen(folder).filter((id) => id.startsWith(`${round}-`)).length, said }
}

/** Of every round; the last line of one may have been cut off. */
export function idsSeen(folder: string): string[] {
  return readFileSync(join(folder, 'seen.txt'), 'utf8')
    .split('\n')
    .filter((line) => /^\d+-\d+$/.test(line))
}

export interface Verdict {
  readonly seen: number
  readonly inLedger: number
  readonly lost: readonly string[]
  readonly doubled: number
}

/** Compares what the application saw with what a ledger holds. */
export function compare(folder: string, ledger: string): Verdict {
  const seen = idsSeen(folder)
  using database = new DatabaseSync(ledger, { readOnly: true })
  const sql =
    'SELECT response_id AS id, count(*) AS times FROM events WHERE response_id IS NOT NULL GROUP BY response_id'
  const rows = database.prepare(sql).all()
  const times = new Map(rows.map(({ id, times }) => [id as string, times as number]))
  return {
    seen: seen.length,
    inLedger: times.size,
    lost: seen.filter((id) => !times.has(id)),
    doubled: [...times.values()].filter((count) => count > 1).length,
  }
}
