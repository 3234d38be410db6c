// What calls came to so far: how long answers usually are, and what nineteen of twenty calls of a tenant stayed below.

import type { PicoUsd } from '../money.ts'
import { createQuantile, type Quantile } from './quantile.ts'

/** A call that has ended and whose usage was reported. */
export interface Lesson {
  readonly tenantId: string | undefined
  readonly endpoint: string
  readonly model: string
  readonly outputTokens: number
  /** Absent where it has no price. */
  readonly cost: PicoUsd | undefined
}

export interface Experience {
  learn(lesson: Lesson): void
  /** Output of such calls as a rule: a moving average, 1000 tokens before there was any. */
  outputOf(endpoint: string, model: string): number
  /** What 95 of 100 such calls stay below: the tenant's own, or everybody's while it has made too few; `undefined` at first. */
  expectedOf(tenantId: string, model: string, endpoint: string): PicoUsd | undefined
}

/** Output of a call of a kind never seen before that sets no cap. */
const FIRST_GUESS_TOKENS = 1000
const KINDS_REMEMBERED = 1000
/** Tenants with a model and an endpoint, some 400 bytes each; those that were not heard of for the longest are forgotten. */
const TENANTS_REMEMBERED = 20_000
/** Fewer calls say nothing of the twentieth. */
const ENOUGH_CALLS = 8

interface Kind {
  average: number
  readonly costs: Quantile
}

export function createExperience(): Experience {
  /** By endpoint and model: looked up by two names, since one put together would be made anew for every call. */
  const kinds = new Map<string, Map<string, Kind>>()
  const own = new Map<string, Quantile>()
  const key = (tenantId: string, model: string, endpoint: string): string => `${endpoint}\n${model}\n${tenantId}`

  function kindOf(endpoint: string, model: string, outputTokens: number): Kind {
    let models = kinds.get(endpoint)
    if (!models) kinds.set(endpoint, (models = new Map()))
    let kind = models.get(model)
    if (!kind) {
      if (models.size >= KINDS_REMEMBERED) models.clear()
      models.set(model, (kind = { average: outputTokens, costs: createQuantile() }))
    }
    return kind
  }

  function ownOf(tenantId: string, model: string, endpoint: string): Quantile {
    const name = key(tenantId, model, endpoint)
    const costs = own.get(name) ?? createQuantile()
    own.delete(name)
    if (own.size >= TENANTS_REMEMBERED) own.delete(own.keys().next().value!)
    own.set(name, costs)
    return costs
  }

  return {
    learn({ tenantId, endpoint, model, outputTokens, cost }) {
      const kind = kindOf(endpoint, model, outputTokens)
      kind.average += (outputTokens - kind.average) / 8
      if (cost === undefined) return
      const pico = Number(cost)
      kind.costs.add(pico)
      if (tenantId !== undefined) ownOf(tenantId, model, endpoint).add(pico)
    },
    outputOf: (endpoint, model) => Math.ceil(kinds.get(endpoint)?.get(model)?.average ?? FIRST_GUESS_TOKENS),
    expectedOf(tenantId, model, endpoint) {
      const costs = own.get(key(tenantId, model, endpoint))
      if (costs && costs.count >= ENOUGH_CALLS) return BigInt(Math.ceil(costs.read()))
      const all = kinds.get(endpoint)?.get(model)?.costs
      return all && all.count >= ENOUGH_CALLS ? BigInt(Math.ceil(all.read())) : undefined
    },
  }
}
