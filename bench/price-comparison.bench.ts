// How many of the worked price examples each price library gets exactly right, each given all that its API takes.

import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'
import { ModelInfoMap } from 'llm-info'
import { getTokenCosts } from 'tokenlens'
import { priceResponse } from '../src/pricing-api.ts'
import { casesOf, inputOf, WORKED_FILES, type WorkedCase } from '../test/support/worked-cases.ts'
import { report } from './report.ts'

/** Dollars, or `undefined` where the library knows no price; what it throws counts as none. */
type Pricer = (worked: WorkedCase) => Promise<number | undefined> | number | undefined

const FLAVORS: Readonly<Record<string, string>> = {
  'chat.completions': 'chat',
  responses: 'responses',
  embeddings: 'embeddings',
}

interface Counts {
  readonly input?: number
  readonly output?: number
}

/** Input and output as the provider totals them. */
function totals({ usage }: WorkedCase): Counts {
  const first = (...names: string[]) => names.map((name) => usage[name]).find((value) => typeof value === 'number')
  return {
    input: first('input_tokens', 'prompt_tokens', 'promptTokenCount') as number,
    output: first('output_tokens', 'completion_tokens', 'candidatesTokenCount') as number,
  }
}

const PRICERS: Readonly<Record<string, Pricer>> = {
  tallygate: async (worked) => {
    const { costUsd } = await priceResponse(inputOf(worked))
    return costUsd === undefined ? undefined : Number(costUsd)
  },
  '@pydantic/genai-prices': (worked) => {
    const providerId = worked.provider === 'xai' ? 'x-ai' : worked.provider
    const provider = findProvider({ providerId })
    if (!provider) return undefined
    // Makers have flavours by endpoint, hosts one for all of theirs; by Anthropic's wire they sell Claude.
    const readers = [provider, findProvider({ providerId: 'anthropic' })!]
    for (const reader of readers)
      for (const flavor of [FLAVORS[worked.surface], 'default'])
        try {
          const { usage } = extractUsage(reader, inputOf(worked).response, flavor)
          return calcPrice(usage, worked.model, { providerId, timestamp: new Date(worked.priced_at) })?.total_price
        } catch {
          // Not this one.
        }
    return undefined
  },
  tokenlens: (worked) =>
    getTokenCosts({ modelId: `${worked.provider}/${worked.model}`, usage: worked.usage as never }).totalUSD,
  'llm-info': (worked) => {
    const info = (
      ModelInfoMap as Record<
        string,
        { pricePerMillionInputTokens?: number | null; pricePerMillionOutputTokens?: number | null }
      >
    )[worked.model]
    const { input = 0, output = 0 } = totals(worked)
    if (typeof info?.pricePerMillionInputTokens !== 'number') return undefined
    return (input * info.pricePerMillionInputTokens + output * (info.pricePerMillionOutputTokens ?? 0)) / 1e6
  },
}

/** Theirs are floating-point: as near as twelve digits after the point. */
function isExact(usd: number | undefined, expected: string): boolean {
  return usd !== undefined && Math.abs(usd - Number(expected)) < 1e-12
}

async function priced(pricer: Pricer, worked: WorkedCase): Promise<number | undefined> {
  try {
    return await pricer(worked)
  } catch {
    return undefined
  }
}

const warn = console.warn
console.warn = () => {}
const all = WORKED_FILES.flatMap(casesOf)
const rows: string[][] = []
for (const [name, pricer] of Object.entries(PRICERS)) {
  let [exact, wrong, unknown, worst] = [0, 0, 0, 0]
  for (const worked of all) {
    const usd = await priced(pricer, worked)
    const expected = Number(worked.expected_usd)
    if (usd === undefined || Number.isNaN(usd)) unknown++
    else if (isExact(usd, worked.expected_usd)) exact++
    else {
      wrong++
      if (expected > 0 && Math.abs(usd / expected - 1) > Math.abs(worst)) worst = usd / expected - 1
    }
  }
  const percent = `${worst > 0 ? '+' : ''}${Math.round(worst * 100)} %`
  rows.push([name, `${exact} of ${all.length}`, String(wrong), wrong > 0 ? percent : '', String(unknown)])
}
console.warn = warn

report({
  title: 'Prices of the worked examples',
  columns: ['library', 'exact', 'wrong', 'furthest off', 'no price'],
  rows,
  notes: [
    `The ${all.length} examples of test/fixtures/pricing, worked by hand from the providers' pages.`,
    'Each library is given the answer, the model, the provider and the time, as far as it takes them.',
  ],
})
