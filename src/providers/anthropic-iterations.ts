// The rounds of one Anthropic message: what other models, and the server's own work, add to what its totals say.
//
// What is in the totals: the rounds of the model that served the message (beta/messages/messages.d.ts of
// @anthropic-ai/sdk 1.12, BetaUsage.iterations and BetaFallbackMessageIterationUsage).
// Which price of a long prompt holds for them is not told apart: a message's own rounds are priced as one request, by the
// sum of their input, since no page says that each is a request of its own; so the cost is never below the true one.
// Other models' rounds are priced by their own input.
// What is not: `compaction`, done by the same model; `advisor_message`, at the price of the advisor's own model
// (platform.claude.com, advisor tool).

import { type Counts, isObject, type Quantities, textOf } from './counts.ts'
import type { Json, Reading } from './provider.ts'

const FIELDS = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'output_tokens'] as const

interface Iterations {
  /** The model that the rounds name as the one that served the message, where it was not the one asked. */
  readonly served?: string | undefined
  readonly others?: Reading['others']
}

/** Adds what the totals lack to `quantities`, and takes out of them what is another model's. */
export function readIterations(
  count: Counts,
  usage: Json,
  model: string | undefined,
  quantities: Quantities,
  inputOf: (iteration: Json) => Quantities,
): Iterations {
  const list = usage['iterations']
  if (!Array.isArray(list)) return {}
  const rounds = (list as unknown[]).filter(isObject)
  const usedBy = (round: Json): Quantities => ({ ...inputOf(round), 'output.text': count.of(round, 'output_tokens') })
  const others: { model: string; usage: Quantities }[] = []
  const give = (round: Json) => {
    const own = textOf(round['model'])
    const used = withoutZeros(usedBy(round))
    if (Object.keys(used).length === 0) return
    if (own !== undefined && own !== model) others.push({ model: own, usage: used })
    else add(quantities, used, 1)
    if (own === undefined) count.flag('model', 'iterations')
  }

  for (const round of rounds) {
    if (round['type'] === 'compaction') add(quantities, usedBy(round), 1)
    else if (round['type'] === 'advisor_message') give(round)
  }

  const fallback = rounds.find(({ type }) => type === 'fallback_message')
  const served = textOf(fallback?.['model'])
  if (served === undefined) return { ...(others.length > 0 && { others }) }
  // A round of a model that declined. Its tokens are in the totals only if nothing less adds up to them.
  const messages = rounds.filter(({ type }) => type === 'message' || type === 'fallback_message')
  const declined = messages.filter((round) => round['type'] === 'message' && isAnother(round, served))
  const isWithin = declined.length > 0 && total(count, messages) === total(count, [usage])
  for (const round of declined) {
    if (isWithin) add(quantities, usedBy(round), -1)
    if (hasSaid(count, round)) give(round)
  }
  return { served, ...(others.length > 0 && { others }) }
}

function isAnother(round: Json, served: string): boolean {
  const own = textOf(round['model'])
  return own !== undefined && own !== served
}

/** What is refused before any output is not billed, though one token is counted (platform.claude.com, refusals and fallback). */
function hasSaid(count: Counts, round: Json): boolean {
  return count.of(round, 'output_tokens') > 1
}

function total(count: Counts, usages: readonly Json[]): number {
  return usages.reduce((sum, one) => sum + FIELDS.reduce((all, field) => all + count.of(one, field), 0), 0)
}

function add(quantities: Quantities, more: Quantities, sign: 1 | -1): void {
  for (const bucket of Object.keys(more) as (keyof Quantities)[])
    quantities[bucket] = Math.max(0, (quantities[bucket] ?? 0) + sign * (more[bucket] ?? 0))
}

function withoutZeros(quantities: Quantities): Quantities {
  return Object.fromEntries(Object.entries(quantities).filter(([, quantity]) => quantity > 0))
}
