// Prices in the form in which people write them down: `data/overlay/<provider>.json`.

/** Where and when a price was read. */
export interface Sourced {
  /** The page. */
  readonly source: string
  /** The day, `2026-11-22`. */
  readonly read: string
  readonly note?: string
}

export type RatesText = Readonly<Record<string, string>>

export interface OverlayRow extends Sourced {
  /** An id, or several that share the row, in lower case. */
  readonly model: string | readonly string[]
  readonly tier?: string
  readonly variant?: string
  /** The first UTC day it holds. */
  readonly from: string
  /** The last UTC day it holds, that day included. */
  readonly until?: string
  readonly days?: readonly string[]
  readonly hours?: readonly string[]
  readonly except?: string
  /** Before it held what the package has without a date: this row is not that of the release. */
  readonly succeeds?: true
  readonly rates: RatesText
  readonly above?: readonly { readonly inputTokens: number; readonly rates: RatesText | null }[]
}

export interface Overlay {
  readonly provider: string
  readonly like?: readonly string[]
  readonly rows?: readonly OverlayRow[]
  readonly fees?: readonly (Sourced & {
    readonly models: readonly string[]
    readonly from: string
    readonly until?: string
    readonly rates: RatesText
  })[]
  readonly modifiers?: readonly (Sourced & {
    readonly geo: string
    readonly models: readonly string[]
    readonly multiply: string
    readonly from: string
    readonly until?: string
  })[]
  readonly aliases?: readonly (Sourced & { readonly model: string; readonly is: string })[]
  readonly calendars?: Readonly<Record<string, Sourced & { readonly dates: readonly string[] }>>
  readonly limits?: readonly (Sourced & { readonly model: string; readonly maxOutputTokens: number })[]
}

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
