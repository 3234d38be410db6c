// Prices and tokenizers as they were when somebody looked: a file that a build holds this version's against.

import { readFileSync, writeFileSync } from 'node:fs'
import { tokenizersOf } from '../audit/tokenizer-pin.ts'
import type { PriceBook } from '../pricing/price.ts'
import { Stop } from './command.ts'
import { rowsAt, titleOf } from './price-rows.ts'

type Rates = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface Pin {
  readonly price_version: string
  /** By `provider/model`, row and bucket: dollars and for how many. */
  readonly models: Readonly<Record<string, Rates>>
  /** By model, what its tokenizer makes of a sample; left out where nobody has published it. */
  readonly tokenizers: Readonly<Record<string, string>>
}

/** Of the models that are named, as `provider/model`. */
export async function pinOf(book: PriceBook, names: readonly string[], at: number): Promise<Pin> {
  const models = [...new Set(names)].sort()
  return {
    price_version: book.version,
    models: Object.fromEntries(models.map((name) => [name, ratesOf(book, name, at)])),
    tokenizers: await tokenizersOf(models),
  }
}

function ratesOf(book: PriceBook, name: string, at: number): Rates {
  const slash = name.indexOf('/')
  const entry = book.rows(name.slice(0, slash), name.slice(slash + 1))
  const rates: Record<string, Record<string, string>> = {}
  for (const row of entry ? rowsAt(entry.rows, at) : []) {
    const own = (rates[titleOf(row)] ??= {})
    for (const { bucket, usd, per } of row.rates) own[bucket] = `$${usd} per ${per.toLocaleString('en-US')}`
  }
  return rates
}

export function writePin(path: string, pin: Pin): void {
  try {
    writeFileSync(path, `${JSON.stringify(pin, null, 2)}\n`)
  } catch (cause) {
    throw new Stop(1, `The file ${path} cannot be written (${(cause as NodeJS.ErrnoException).code}).`)
  }
}

export function readPin(path: string): Pin {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Stop(1, `The pin ${path} cannot be read (${code}); \`--write-pin\` makes it.`)
  }
  const pin = parsed(text)
  if (isRecord(pin) && isRecord(pin['models']) && isRecord(pin['tokenizers'])) return pin as unknown as Pin
  throw new Stop(
    1,
    `The file ${path} is no pin: expected \`models\` and \`tokenizers\`, as \`--write-pin\` writes them.`,
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is another now, each a line. */
export function changesSince(pinned: Pin, now: Pin): string[] {
  const changes: string[] = []
  const compare = (what: string, before: Record<string, unknown>, after: Record<string, unknown>): void => {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const [old, new_] = [before[name], after[name]]
      const place = what === '' ? name : `${what}  ${name}`
      if (isRecord(old) || isRecord(new_)) compare(place, isRecord(old) ? old : {}, isRecord(new_) ? new_ : {})
      else if (old !== new_) changes.push(`${place}  ${shown(old)} -> ${shown(new_)}`)
    }
  }
  compare('', pinned.models, now.models)
  compare('tokens of the sample', pinned.tokenizers, now.tokenizers)
  return changes
}

function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'none'
}
