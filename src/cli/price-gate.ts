// The gate of a build: how old the price book is, which models it has no price for, and what is another than was pinned.

import { formatCount } from '../figures.ts'
import type { PriceBook } from '../pricing/price.ts'
import { Stop } from './command.ts'
import { type LedgerValues, openToAsk } from './ledgers.ts'
import { check, namesIn } from './price-check.ts'
import { changesSince, pinOf, readPin, writePin } from './price-pin.ts'
import type { Terminal } from './terminal.ts'

export interface GateValues extends LedgerValues {
  readonly check?: string
  readonly used?: boolean
  readonly pin?: string
  readonly 'write-pin'?: boolean
  readonly 'max-age'?: string
  readonly json?: boolean
}

export interface GateSetting {
  readonly at: number
  /** In whole days; `null` where the book does not say. */
  readonly ageDays: number | null
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
}

export function isGate(values: GateValues): boolean {
  return (['check', 'used', 'pin', 'write-pin', 'max-age'] as const).some((name) => values[name] !== undefined)
}

/** Gives the exit code. */
export async function runGate(book: PriceBook, values: GateValues, setting: GateSetting): Promise<number> {
  const { at, ageDays, terminal, env } = setting
  if (values['write-pin'] && values.pin === undefined) throw new Stop(2, '`--write-pin` goes with `--pin <file>`.')
  const maxAge = daysOf(values['max-age'])
  const pinned = values.pin === undefined || values['write-pin'] ? undefined : readPin(values.pin)
  const names = [
    ...(values.check === undefined ? [] : namesIn(values.check)),
    ...(values.used ? await usedModels(values, env) : []),
  ]
  const checked = check(book, names, at)
  const unknown = checked.filter(({ verdict }) => verdict === 'unknown')
  const toPin = [...names.filter((name) => /^[^/;*]+\/[^;*]+$/.test(name)), ...Object.keys(pinned?.models ?? {})]
  if (values['write-pin'] && toPin.length === 0)
    throw new Stop(2, '`--write-pin` needs models as `provider/model`: of `--check <file>`, or of `--used`.')
  if (values['write-pin']) writePin(values.pin!, await pinOf(book, toPin, at))
  // A model that came since is no change: it has its own line where it has no price.
  const changes = pinned ? changesSince(pinned, await pinOf(book, Object.keys(pinned.models), at)) : []
  const isOld = maxAge !== undefined && (ageDays === null || ageDays > maxAge)
  const failed = unknown.length > 0 || changes.length > 0 || isOld
  if (values.json) {
    const shown = { version: book.version, age_days: ageDays, is_too_old: isOld, models: checked, changes }
    terminal.write(`${JSON.stringify(shown, null, 2)}\n`)
    return failed ? 1 : 0
  }
  for (const { name, verdict } of checked)
    if (verdict !== 'known')
      terminal.print(verdict === 'guess' ? `${name}: at the prices of its family, a guess` : `${name}: no known price`)
  for (const change of changes) terminal.print(change)
  if (checked.length > 0)
    terminal.print(
      `${formatCount(checked.length - unknown.length)} of ${formatCount(checked.length)} models have a price.`,
    )
  if (pinned)
    terminal.print(
      changes.length === 0
        ? 'Nothing is another than was pinned.'
        : `${formatCount(changes.length)} changed since ${pinned.price_version}.`,
    )
  if (values['write-pin']) terminal.print(`Pinned: ${values.pin}`)
  if (isOld)
    terminal.print(
      `The price book was last read ${ageDays === null ? 'at a time that is not known' : `${formatCount(ageDays)} days ago`}, and ${formatCount(maxAge)} are allowed.`,
    )
  return failed ? 1 : 0
}

function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,5}$/.test(text))
    throw new Stop(2, `\`--max-age\` takes a whole number of days; got ${JSON.stringify(text)}.`)
  return Number(text)
}

async function usedModels(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { ledger, views } = await openToAsk(values, env)
  try {
    const { rows } = await views.totals({ by: ['provider', 'model'], order: 'key' })
    return rows.map(({ key: [provider, model] }) => `${provider}/${model}`)
  } finally {
    await views.close()
    await ledger.close()
  }
}
