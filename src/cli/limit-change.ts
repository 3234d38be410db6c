// A limit that is set or removed: in the store, in the ledger where it keeps such limits, and in the trail of changes.

import { join } from 'node:path'
import { MeterError } from '../errors.ts'
import type { LimitKey, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { fieldsOf } from '../limits/scope.ts'
import { formatUsd, picoFromNano } from '../money.ts'
import { postgresFault } from '../postgres/faults.ts'
import { type ChangeLog, fileChangeLog } from '../server/changes.ts'
import type { Ledger } from '../sinks/ledger.ts'
import { Stop } from './command.ts'
import { databaseUrlOf, type LedgerValues, openToAsk, openToChange } from './ledgers.ts'
import { nameOf, rulesOf, type Standing, standingsOf } from './limit-standings.ts'
import { openLimits } from './limit-stores.ts'
import { printStandings, standingRecord, windowInWords } from './limit-table.ts'
import { scopeInWords } from './limit-target.ts'
import { folderOf } from './place.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './width.ts'

export interface ChangeValues extends LedgerValues {
  readonly json?: boolean
}

export interface Around {
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
}

/** Sets the rule, or removes the one of the key. */
export async function changeLimit(
  key: LimitKey,
  rule: LimitRule | undefined,
  values: ChangeValues,
  { terminal, env }: Around,
): Promise<undefined> {
  const now = Date.now()
  const { ledger } = await openToChange(values, env)
  const store = await openLimits(values, env)
  try {
    // Opens it: one that cannot be written gets no limit in one place and none in the other.
    const stored = await ledger.limits()
    const before = await withStore(async () => {
      const known = (await rulesOf(store, stored)).find((one) => nameOf(one) === nameOf(key))
      if (rule) await store.setLimit(rule)
      else if (known) await store.removeLimit(key)
      return known
    })
    if (!rule && !before)
      throw new Stop(
        1,
        printable(
          `There is no limit per ${key.per} of ${scopeInWords(key.scope)}: \`tallygate limits\` lists those that are.`,
        ),
      )
    await keepInLedger(key, rule, ledger)
    await note(key, before, rule, now, values, { terminal, env })
    const standing = rule && (await standingNow(rule, store, values, env, now))
    if (values.json)
      tellJson(terminal, standing ? standingRecord(standing) : { scope: key.scope, window: key.per, removed: true })
    else if (standing) printStandings([standing], now, terminal)
    else terminal.print(printable(`Removed the limit per ${key.per} of ${scopeInWords(key.scope)}.`))
  } finally {
    await store.close?.()
    await ledger.close()
  }
  return undefined
}

async function standingNow(
  rule: LimitRule,
  store: LimitStore,
  values: ChangeValues,
  env: NodeJS.ProcessEnv,
  now: number,
): Promise<Standing> {
  const { ledger, views } = await openToAsk(values, env)
  try {
    return (await standingsOf([rule], store, views, now))[0]!
  } finally {
    await views.close()
    await ledger.close()
  }
}

/** A ledger keeps the plain limits of tenants, for reports and for applications that come without the store. */
async function keepInLedger({ scope, per }: LimitKey, rule: LimitRule | undefined, ledger: Ledger): Promise<void> {
  const [[field, tenantId] = ['', ''], ...others] = fieldsOf(scope)
  if (field !== 'tenant' || others.length > 0) return
  if (!rule || Object.keys(rule.settings).length > 0) return ledger.removeLimit(tenantId, per)
  await ledger.putLimit({ tenantId, window: per, limit: picoFromNano(rule.limitNanoUsd), mode: rule.mode })
}

/** A limit that is changed stays so where the trail cannot be written: what it says then is said here. */
async function note(
  key: LimitKey,
  before: LimitRule | undefined,
  after: LimitRule | undefined,
  now: number,
  values: ChangeValues,
  { terminal, env }: Around,
): Promise<void> {
  const trail = await trailOf(values, env)
  const what = after ? 'limit.set' : 'limit.removed'
  const change = { at: new Date(now).toISOString(), by: 'tallygate limits', what, of: scopeInWords(key.scope) } as const
  try {
    await trail.note({ ...change, before: said(before), after: said(after) })
  } catch {
    terminal.complain('The limit is changed; the trail of changes beside the ledger cannot be written.')
  } finally {
    await trail.close?.()
  }
}

function said(rule: LimitRule | undefined): string | null {
  if (!rule) return null
  const { limitNanoUsd, mode } = rule
  return `$${formatUsd(picoFromNano(limitNanoUsd))} per ${windowInWords({ ...rule, mode: 'expected' })}, ${mode}`
}

async function trailOf(values: ChangeValues, env: NodeJS.ProcessEnv): Promise<ChangeLog & { close?(): Promise<void> }> {
  const databaseUrl = databaseUrlOf(values, env)
  if (databaseUrl === undefined) return fileChangeLog(join(folderOf(values.dir, env), 'changes.jsonl'))
  const { postgresChangeLog } = await import('../server/changes-table.ts')
  return postgresChangeLog({ databaseUrl })
}

/** What a database says of itself quotes more than a person wants. */
export async function withStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof MeterError || cause instanceof Stop) throw cause
    throw new Stop(1, `The limits of this ledger ${whyNot(cause)}.`)
  }
}

function whyNot(cause: unknown): string {
  const { errcode } = (cause ?? {}) as { errcode?: unknown }
  if (typeof errcode === 'number')
    return [5, 6].includes(errcode & 0xff)
      ? 'are being written by another process'
      : `cannot be read or written (SQLite error ${errcode & 0xff})`
  const { code, words } = postgresFault(cause)
  if (code === undefined) throw cause
  return `are in a database that ${words} (${code})`
}

export function tellJson(terminal: Terminal, value: object): void {
  terminal.write(`${JSON.stringify(value, null, 2)}\n`)
}
