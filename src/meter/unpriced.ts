// What is said, once for each model and each thing that it has no price for, of calls that have no price.

import type { PriceGap } from '../pricing/price.ts'
import type { Problem } from '../problems.ts'

/** Of these nothing more is to be said than that the model has no price. */
const OF_ALL: readonly (PriceGap['reason'] | undefined)[] = [
  'unknown-provider',
  'unknown-model',
  'unpriced-model',
  undefined,
]

/** What has no price: `openai gpt-99`; `openai gpt-4o unknown-tier:flex`, where only that is missing. */
export function unpricedName(provider: string, model: string, gap: PriceGap | undefined): string {
  const named = `${provider} ${gap?.model ?? model}`
  if (!gap || OF_ALL.includes(gap.reason)) return named
  const part = gap.tier ?? gap.bucket
  return `${named} ${gap.reason}${part === undefined ? '' : `:${part.slice(0, 64)}`}`
}

export function unpricedProblem(provider: string, model: string, gap: PriceGap | undefined): Problem {
  const name = gap?.model ?? model
  const message = OF_ALL.includes(gap?.reason)
    ? `No price is known for model ${JSON.stringify(name.slice(0, 100))} of ${provider}: its calls are recorded without a cost.`
    : `${gap!.message} Such calls are recorded without a cost.`
  return { kind: 'price', message }
}
