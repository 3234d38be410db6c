// The alerts of the ledger of a command: by a file, over the ledger, its limits and what lies in the folder beside it.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { AlertWatch } from '../alerts/watch.ts'
import type { WatchAlertsOptions } from '../alerts/watch-alerts.ts'
import { MeterError } from '../errors.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import type { Problem } from '../problems.ts'
import { Stop } from './command.ts'
import { databaseUrlOf, type LedgerValues } from './ledgers.ts'
import { folderOf, ledgerIn } from './place.ts'

export const ALERTS = {
  type: 'string',
  value: 'file',
  help: 'Tell webhooks and channels what this file (JSON) says: see docs/alerts.md. Default: $TALLYGATE_ALERTS',
} as const

export interface AlertSetting {
  readonly limitStore: LimitStore
  readonly onProblem: (problem: Problem) => void
  /** Not by itself: only when it is asked. */
  readonly isOnce?: boolean
}

/** `undefined` where no file is named. */
export async function openAlerts(
  file: string | undefined,
  values: LedgerValues,
  env: NodeJS.ProcessEnv,
  { limitStore, onProblem, isOnce = false }: AlertSetting,
): Promise<AlertWatch | undefined> {
  const path = file ?? (env['TALLYGATE_ALERTS'] || undefined)
  if (path === undefined) return undefined
  const [{ alertConfigOf }, { watchAlerts }] = await Promise.all([
    import('../alerts/config.ts'),
    import('../alerts/watch-alerts.ts'),
  ])
  const { isDeadLetters, ...config } = await alertConfigOf(jsonIn(path), env).catch((error: unknown) => {
    throw error instanceof MeterError ? new Stop(1, `${path}: ${error.message}`) : error
  })
  const databaseUrl = databaseUrlOf(values, env)
  const place = databaseUrl === undefined ? { path: ledgerIn(folderOf(values.dir, env)) } : { databaseUrl }
  const deadLetters = isDeadLetters && databaseUrl === undefined ? lettersOf(folderOf(values.dir, env)) : undefined
  return watchAlerts({ ...config, ...place, limitStore, deadLetters, onProblem, ...(isOnce && { everyMs: 0 }) })
}

function jsonIn(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Stop(1, `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  try {
    return JSON.parse(text) as unknown
  } catch {
    // What the parser says quotes the text, which has addresses and secrets.
    throw new Stop(1, `${path} is no JSON.`)
  }
}

function lettersOf(dir: string): NonNullable<WatchAlertsOptions['deadLetters']> {
  return {
    place: resolve(dir),
    async count() {
      const { readDeadLetters } = await import('../delivery/letters.ts')
      let count = 0
      for (const _ of readDeadLetters(dir)) count++
      return count
    },
  }
}
