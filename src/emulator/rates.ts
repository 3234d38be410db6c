// The emulator's own price list: small, written down by hand from the providers' pages, shared with nothing that it checks.

import { HOST_RATES } from './host-rates.ts'
import type { HostName, ProviderName, Terms } from './wire.ts'

export type Unit =
  | 'input'
  | 'audioInput'
  | 'cacheRead'
  | 'cacheWrite'
  | 'cacheWrite1h'
  | 'output'
  | 'reasoning'
  | 'webSearch'

/** USD for a million of each unit, as exact decimals. A unit that is missing has no price. */
export type Rates = Readonly<Partial<Record<Unit, string>>>

interface Row {
  readonly rates: Rates
  /** Holds for prompts of more tokens than this, for the whole request. */
  readonly above?: number
  readonly tier?: string
  readonly speed?: string
  /** First day. */
  readonly from?: string
  /** What `inference_geo: 'us'` adds, in percent; tokens only. Absent: nothing. */
  readonly usPercent?: number
}

const perMillion = (
  input: string,
  output: string,
  cacheRead?: string,
  cacheWrite?: string,
  cacheWrite1h?: string,
): Rates => ({
  input,
  output,
  reasoning: output,
  ...(cacheRead !== undefined && { cacheRead }),
  ...(cacheWrite !== undefined && { cacheWrite }),
  ...(cacheWrite1h !== undefined && { cacheWrite1h }),
})

const embedding = (input: string): Row[] => [{ rates: { input } }]
const flat = (...rates: Parameters<typeof perMillion>): Row[] => [{ rates: perMillion(...rates) }]

// https://developers.openai.com/api/docs/pricing
const OPENAI: Readonly<Record<string, readonly Row[]>> = {
  'gpt-6-astra': [
    { rates: perMillion('10', '50', '1', '12.5') },
    { rates: perMillion('20', '75', '2', '25'), above: 272_000 },
    { rates: perMillion('20', '100', '2', '25'), tier: 'priority' },
  ],
  'gpt-6-sol': [
    { rates: perMillion('2', '10', '0.2', '2.5') },
    { rates: perMillion('4', '15', '0.4', '5'), above: 272_000 },
  ],
  'gpt-6-luna': [
    { rates: perMillion('0.1', '0.5', '0.01', '0.125') },
    { rates: perMillion('0.2', '0.75', '0.02', '0.25'), above: 272_000 },
  ],
  'gpt-5.6-luna': [
    { rates: perMillion('0.2', '1.2', '0.02', '0.25') },
    { rates: perMillion('0.4', '1.8', '0.04', '0.5'), above: 272_000 },
  ],
  'gpt-5.5': [
    { rates: perMillion('5', '30', '0.5') },
    { rates: perMillion('10', '45', '1'), above: 272_000 },
    { rates: perMillion('12.5', '75', '1.25'), tier: 'priority' },
  ],
  'gpt-5': [{ rates: perMillion('1.25', '10', '0.125') }, { rates: perMillion('0.625', '5', '0.0625'), tier: 'flex' }],
  'gpt-5-mini': flat('0.25', '2', '0.025'),
  'gpt-5-nano': flat('0.05', '0.4', '0.005'),
  'gpt-4.1': flat('2', '8', '0.5'),
  'gpt-4.1-mini': flat('0.4', '1.6', '0.1'),
  'gpt-4.1-nano': flat('0.1', '0.4', '0.025'),
  'gpt-4o': flat('2.5', '10', '1.25'),
  'gpt-4o-mini': flat('0.15', '0.6', '0.075'),
  o3: flat('2', '8', '0.5'),
  'o4-mini': flat('1.1', '4.4', '0.275'),
  'gpt-3.5-turbo-instruct': flat('1.5', '2'),
  'gpt-audio': [{ rates: { ...perMillion('2.5', '10'), audioInput: '32' } }],
  'text-embedding-3-small': embedding('0.02'),
  'text-embedding-3-large': embedding('0.13'),
  'text-embedding-ada-002': embedding('0.1'),
}

// https://platform.claude.com/docs/en/about-claude/pricing
const ANTHROPIC: Readonly<Record<string, readonly Row[]>> = {
  'claude-fable-5-1': [{ rates: perMillion('10', '50', '0.25', '12.5', '20'), usPercent: 10 }],
  'claude-opus-5-5': [
    { rates: perMillion('4', '20', '0.2', '5', '8'), usPercent: 10 },
    { rates: perMillion('8', '40', '0.4', '10', '16'), speed: 'fast', usPercent: 10 },
  ],
  'claude-opus-5': [
    { rates: perMillion('5', '25', '0.5', '6.25', '10'), usPercent: 10 },
    { rates: perMillion('10', '50', '1', '12.5', '20'), speed: 'fast', usPercent: 10 },
  ],
  'claude-sonnet-5-5': [{ rates: perMillion('2', '10', '0.1', '2.5', '4'), usPercent: 10 }],
  'claude-sonnet-5': [{ rates: perMillion('2', '10', '0.2', '2.5', '4'), usPercent: 10 }],
  'claude-sonnet-4-6': [{ rates: perMillion('3', '15', '0.3', '3.75', '6'), usPercent: 10 }],
  'claude-haiku-5-5': [
    { rates: perMillion('0.1', '0.5', '0.01', '0.125', '0.2'), usPercent: 10 },
    { rates: perMillion('0.5', '2.5', '0.05', '0.625', '1'), above: 100_000, usPercent: 10 },
  ],
  'claude-haiku-4-5': flat('1', '5', '0.1', '1.25', '2'),
}

// https://ai.google.dev/gemini-api/docs/pricing
const GOOGLE: Readonly<Record<string, readonly Row[]>> = {
  'gemini-3.8-flash': [
    { rates: perMillion('0.75', '3.75', '0.075') },
    { rates: perMillion('1.5', '7.5', '0.15'), from: '2027-01-01' },
  ],
  'gemini-3.1-pro-preview': [
    { rates: perMillion('2', '12', '0.2') },
    { rates: perMillion('4', '18', '0.4'), above: 200_000 },
  ],
  'gemini-3.1-flash-lite': [{ rates: { ...perMillion('0.25', '1.5', '0.025'), audioInput: '0.5' } }],
  'gemini-2.5-pro': [
    { rates: perMillion('1.25', '10', '0.125') },
    { rates: perMillion('2.5', '15', '0.25'), above: 200_000 },
  ],
  'gemini-2.5-flash': [{ rates: { ...perMillion('0.3', '2.5', '0.03'), audioInput: '1' } }],
  'gemini-2.5-flash-lite': [{ rates: { ...perMillion('0.1', '0.4', '0.01'), audioInput: '0.3' } }],
  'gemini-embedding-001': embedding('0.15'),
}

const LISTS: Readonly<Record<string, Readonly<Record<string, readonly Row[]>>>> = {
  openai: OPENAI,
  anthropic: ANTHROPIC,
  google: GOOGLE,
  ...Object.fromEntries(Object.entries(HOST_RATES).map(([host, models]) => [host, hostRows(models)])),
}

function hostRows(models: (typeof HOST_RATES)[string]): Record<string, Row[]> {
  return Object.fromEntries(
    Object.entries(models).map(([model, rates]) => [
      model,
      flat(rates.input, rates.output, rates.cacheRead, rates.cacheWrite),
    ]),
  )
}

/** $10 for a thousand searches, at OpenAI and Anthropic alike; at Google $14 for queries, or $35 for grounded prompts. */
const WEB_SEARCH = '10000'
const GOOGLE_QUERY = '14000'
const GOOGLE_PROMPT = '35000'

/** Words for the tier that costs what the list says. */
const STANDARD = new Set([undefined, 'auto', 'default', 'standard', 'ON_DEMAND', 'on_demand', 'unspecified'])

export interface Priced {
  readonly rates: Rates
  /** Added to every token, in percent. */
  readonly percent: number
}

/** `undefined` where the list has no row for just these terms. */
export function ratesFor(
  provider: ProviderName | HostName,
  model: string,
  terms: Terms,
  promptTokens: number,
  at: Date,
): Priced | undefined {
  const tier = STANDARD.has(terms.tier) ? undefined : terms.tier
  const speed = terms.speed === 'standard' ? undefined : terms.speed
  const day = at.toISOString().slice(0, 10)
  const list = LISTS[provider] ?? {}
  const rows = Object.hasOwn(list, model) ? (list[model] ?? []) : []
  const row = rows.findLast(
    (row) =>
      row.tier === tier &&
      row.speed === speed &&
      promptTokens > (row.above ?? -1) &&
      (row.from === undefined || day >= row.from),
  )
  if (row === undefined) return undefined
  const isBandless = tier !== undefined && rows.some(({ above = Number.POSITIVE_INFINITY }) => promptTokens > above)
  if (isBandless) return undefined
  const percent = terms.geo === 'us' ? (row.usPercent ?? 0) : 0
  const webSearch = provider !== 'google' ? WEB_SEARCH : /gemini-[12]/.test(model) ? GOOGLE_PROMPT : GOOGLE_QUERY
  return { rates: { ...row.rates, webSearch }, percent }
}
