// The names of rows: what a line of a cost says of its rate, and what leads back from there to the row.

import type { BookData, FeeData, ModelData, RateList, RowData } from './book-data.ts'
import { WEEKDAYS } from './overlay.ts'

export function nameOf({ ids, name = '' }: Pick<ModelData, 'ids' | 'name'>): string {
  return ids[0] ?? name
}

/** `openai/gpt-5;flex@2026-10-01`, `openai/dall-e-3[1024x1024/hd]`, `deepseek/deepseek-v4-pro@2026-08-17+01:00-04:00`. */
export function rowLabel(provider: string, model: string, tier: string, row: RowData): string {
  const tiered = tier === 'standard' ? '' : `;${tier}`
  const variant = row.variant === undefined ? '' : `[${row.variant}]`
  const dated = row.from === undefined ? '' : `@${row.from}`
  const days = row.hours === undefined ? row.days?.map((day) => WEEKDAYS[day]) : row.hours
  return `${provider}/${model}${tiered}${variant}${dated}${days === undefined ? '' : `+${days.join(',')}`}`
}

/** `openai/gpt-6-sol>272000`: the rates of a row for more input than that. */
export function bandLabel(label: string, above: number): string {
  return above < 0 ? label : `${label}>${above}`
}

/** `openai/fees:*@2026-10-01`. */
export function feeLabel(provider: string, fee: FeeData): string {
  return `${provider}/fees:${fee.models.join(',')}${fee.from === undefined ? '' : `@${fee.from}`}`
}

export interface LabelledRates {
  readonly label: string
  /** -1: from the first token on. */
  readonly above: number
  /** `null`: not known. */
  readonly rates: RateList | null
}

/** The rates of a row and of each of its bands. */
export function bandsOf(row: RowData, label: string): LabelledRates[] {
  const bands = (row.above ?? []).map(([above, rates]) => ({ label: bandLabel(label, above), above, rates }))
  return [{ label, above: -1, rates: row.rates }, ...bands]
}

/** Every row of a model, with its tier. */
export function* rowsOf(model: ModelData): Generator<readonly [tier: string, row: RowData]> {
  for (const row of model.rows) yield ['standard', row]
  for (const [tier, rows] of Object.entries(model.tiers ?? {})) for (const row of rows) yield [tier, row]
}

/** The name of every row of a provider: no two are the same. */
export function* rowLabels(book: BookData, provider: string): Generator<string> {
  const { models, fees = [] } = book.providers[provider]!
  for (const model of models)
    for (const [tier, row] of rowsOf(model)) yield rowLabel(provider, nameOf(model), tier, row)
  for (const fee of fees) yield feeLabel(provider, fee)
}
