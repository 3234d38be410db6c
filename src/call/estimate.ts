// What a call may cost, before it is made: from its request, the price book, and what such calls came to before.

import type { Estimate } from '../limits/limiter.ts'
import type { PicoUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { likelyTokens, mostTokens } from '../providers/estimate.ts'
import type { RequestFacts } from '../providers/provider.ts'

/** Output of a call of a kind never seen before that sets no cap. */
const FIRST_GUESS_TOKENS = 1000
/** The longest output that a model without a known maximum is taken to give. */
const LONGEST_OUTPUT_TOKENS = 128_000
const MODELS_REMEMBERED = 1000

/** What calls of a kind (model and endpoint) came to, as a moving average of their output. */
export interface Experience {
  learn(endpoint: string, model: string, outputTokens: number): void
  outputOf(endpoint: string, model: string): number
}

export function createExperience(): Experience {
  const endpoints = new Map<string, Map<string, number>>()
  return {
    learn(endpoint, model, outputTokens) {
      let averages = endpoints.get(endpoint)
      if (!averages) endpoints.set(endpoint, (averages = new Map()))
      const average = averages.get(model)
      if (average === undefined && averages.size >= MODELS_REMEMBERED) averages.clear()
      averages.set(model, average === undefined ? outputTokens : average + (outputTokens - average) / 8)
    },
    outputOf: (endpoint, model) => Math.ceil(endpoints.get(endpoint)?.get(model) ?? FIRST_GUESS_TOKENS),
  }
}

export interface EstimateInput {
  readonly provider: string
  readonly facts: RequestFacts
  readonly endpoint: string
  readonly at: number
  readonly prompt: () => Iterable<string>
}

/** `undefined` when the model has no known price: then nothing can be held for the call. */
export function estimateCost(book: PriceBook, experience: Experience, input: EstimateInput): Estimate | undefined {
  const { provider, endpoint, facts, at } = input
  const tier = facts.metadata?.['service_tier']
  const query = { provider, model: facts.model, at }
  const tiered = typeof tier === 'string' ? { ...query, serviceTier: tier } : query
  const most = facts.maxOutputTokens ?? book.maxOutputTokens(query) ?? LONGEST_OUTPUT_TOKENS
  const likely = facts.maxOutputTokens ?? experience.outputOf(endpoint, facts.model)
  const inputMost = mostTokens(input.prompt())
  const quantities = { inputTokens: inputMost, outputTokens: most }
  // The tier that is asked for need not be the one that serves the call, nor one that has a row.
  const plain = book.ceiling(quantities, query)
  const ceiling = tiered === query ? plain : larger(plain, book.ceiling(quantities, tiered))
  const usage = { 'input.text': likelyTokens(inputMost), 'output.text': likely }
  const expected = (book.price(usage, tiered) ?? book.price(usage, query))?.pico
  if (ceiling === undefined || expected === undefined) return undefined
  return { ceiling, expected: expected < ceiling ? expected : ceiling }
}

function larger(a: PicoUsd | undefined, b: PicoUsd | undefined): PicoUsd | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
