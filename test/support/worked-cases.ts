// The worked price examples of `test/fixtures/pricing`, and each as `priceResponse` takes it.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ResponseToPrice } from '../../src/pricing-api.ts'

export interface WorkedLine {
  readonly bucket: string
  readonly quantity: number
  readonly rate_usd: string
  readonly per: number
  readonly multiplier?: string
  readonly usd: string
}

export interface WorkedCase {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly surface: string
  readonly priced_at: string
  readonly context?: Readonly<Record<string, unknown>>
  readonly response_root: string
  readonly usage: Readonly<Record<string, unknown>>
  readonly expected_lines: readonly WorkedLine[]
  readonly expected_usd: string
  readonly source: string
}

const folder = join(import.meta.dirname, '../fixtures/pricing')

/** The files, one a provider; `worked.json` has some of each. */
export const WORKED_FILES = readdirSync(folder).filter((name) => name.endsWith('.json'))

export function casesOf(file: string): readonly WorkedCase[] {
  return (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { cases: readonly WorkedCase[] }).cases
}

/** The answer as the provider would give it, and what was known of the call. */
export function inputOf(worked: WorkedCase): ResponseToPrice {
  const { provider, surface, model, priced_at, context = {}, response_root, usage } = worked
  const { base_url, host, batch, request, response, tool_usage, response_service_tier: service_tier } = context
  const said = { model, [response_root]: usage, ...(service_tier !== undefined && { service_tier }) }
  return {
    provider,
    endpoint: surface,
    model,
    response: { ...said, ...(tool_usage !== undefined && { tool_usage }), ...(response as object | undefined) },
    at: priced_at,
    host: (base_url ?? host) as string | undefined,
    batch: batch as boolean | undefined,
    request: request as object | undefined,
  }
}
