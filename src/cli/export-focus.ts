// Events as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification: one for each line of a cost.
// Columns and their levels: focus.finops.org/focus-specification/v1-2, read 2026-11-22. All that are mandatory are there;
// of the conditional ones, those that an event can tell.

import type { CostLine, LLMEvent } from '../event.ts'
import type { Cell } from './csv.ts'

const HOUR = 3_600_000

/** What a charge is of: a line of the cost, or the whole of it where the provider gave a sum alone. */
type Charge = Pick<CostLine, 'bucket' | 'quantity' | 'costUsd'> & { readonly rate?: string }

/** The mandatory ones and the conditional ones in the order of the specification, ours behind them. */
const COLUMNS = {
  BilledCost: (_, charge) => charge.costUsd,
  // Nobody but the provider knows the account: its name stands in the place of an id, which may not be null.
  BillingAccountId: (event) => event.provider,
  BillingAccountName: () => null,
  BillingCurrency: () => 'USD',
  BillingPeriodEnd: (event) => monthOf(event, 1),
  BillingPeriodStart: (event) => monthOf(event, 0),
  ChargeCategory: () => 'Usage',
  ChargeClass: () => null,
  ChargeDescription: (event, { bucket }) => `${event.model} ${bucket}`,
  ChargeFrequency: () => 'Usage-Based',
  ChargePeriodEnd: (event) => hourOf(event, 1),
  ChargePeriodStart: (event) => hourOf(event, 0),
  ConsumedQuantity: (_, { quantity }) => quantity,
  ConsumedUnit: (_, { bucket }) => unitOf(bucket),
  ContractedCost: (_, charge) => charge.costUsd,
  EffectiveCost: (_, charge) => charge.costUsd,
  InvoiceIssuerName: (event) => event.provider,
  ListCost: (_, charge) => charge.costUsd,
  PricingCategory: () => 'Standard',
  PricingQuantity: (_, { quantity }) => quantity,
  PricingUnit: (_, { bucket }) => unitOf(bucket),
  ProviderName: (event) => event.provider,
  PublisherName: (event) => event.upstreamProvider ?? event.provider,
  RegionId: (event) => event.geo ?? null,
  ResourceId: (event) => event.model,
  ServiceCategory: () => 'AI and Machine Learning',
  ServiceName: (event) => `${event.provider} ${event.endpoint}`,
  ServiceSubcategory: () => 'Generative AI',
  SkuMeter: (_, { bucket }) => bucket,
  SubAccountId: (event) => event.tenantId ?? null,
  Tags: (event) => (event.tags === undefined ? null : JSON.stringify(event.tags)),
  x_EventId: (event) => event.eventId,
  x_UserId: (event) => event.userId ?? null,
  x_Feature: (event) => event.feature ?? null,
  x_Team: (event) => event.team ?? null,
  x_Project: (event) => event.project ?? null,
  x_CostCenter: (event) => event.costCenter ?? null,
  x_ServiceTier: (event) => event.serviceTier ?? null,
  x_CostSource: (event) => event.costSource ?? null,
  x_PriceRow: (_, { rate }) => rate ?? null,
} as const satisfies Record<string, (event: LLMEvent, charge: Charge) => Cell>

export const FOCUS_COLUMNS: readonly string[] = Object.keys(COLUMNS)

/** None for an event without a known cost: `BilledCost` may not be null, and it is not 0. */
export function focusRows(event: LLMEvent): Cell[][] {
  return chargesOf(event).map((charge) => Object.values(COLUMNS).map((read) => read(event, charge)))
}

function chargesOf({ costUsd, costLines = [] }: LLMEvent): readonly Charge[] {
  if (costUsd === undefined) return []
  return costLines.length > 0 ? costLines : [{ bucket: 'request', quantity: 1, costUsd }]
}

/** Of a count of tokens, unless the bucket's name says another unit. */
const UNITS: Readonly<Record<string, string>> = {
  request: 'Requests',
  'unit.input_characters': 'Characters',
  'unit.input_seconds': 'Seconds',
  'unit.input_pages': 'Pages',
  'unit.input_images': 'Images',
  'unit.output_images': 'Images',
  'unit.output_seconds': 'Seconds',
  'unit.session_seconds': 'Seconds',
  'unit.cache_token_hours': 'Token-Hours',
}

function unitOf(bucket: string): string {
  return UNITS[bucket] ?? (bucket.startsWith('fee.') ? 'Requests' : 'Tokens')
}

function hourOf({ timestamp }: LLMEvent, further: 0 | 1): string {
  return secondsOf((Math.floor(Date.parse(timestamp) / HOUR) + further) * HOUR)
}

function monthOf({ timestamp }: LLMEvent, further: 0 | 1): string {
  const at = new Date(timestamp)
  return secondsOf(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + further))
}

/** `2026-11-22T14:00:00Z`. */
function secondsOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}
