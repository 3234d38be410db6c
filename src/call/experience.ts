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
/** Tenants with a model and an endpoint, some 400 bytes each; who is heard of again before as many others is not forgotten. */
const TENANTS_HEARD_OF = 10_000
/** Fewer calls say nothing of the twentieth. */
const ENOUGH_CALLS = 8

interface Kind {
  average: number
  readonly costs: Quantile
  /** By tenant: heard of lately, and in the time before. To keep them in the order of their last call would cost each call. */
  lately: Map<string, Quantile>
  before: Map<string, Quantile>
}

export function createExperience(): Experience {
  /** By endpoint and model: looked up by two names, since one put together would be made anew for every call. */
  const kinds = new Map<string, Map<string, Kind>>()
  let heardOf = 0

  function kindOf(endpoint: string, model: string, outputTokens: number): Kind {
    let models = kinds.get(endpoint)
    if (!models) kinds.set(endpoint, (models = new Map()))
    let kind = models.get(model)
    if (!kind) {
      if (models.size >= KINDS_REMEMBERED) models.clear()
      kind = { average: outputTokens, costs: createQuantile(), lately: new Map(), before: new Map() }
      models.set(model, kind)
    }
    return kind
  }

  function ownOf(kind: Kind, tenantId: string): Quantile {
    let costs = kind.lately.get(tenantId)
    if (!costs) {
      costs = kind.before.get(tenantId) ?? createQuantile()
      if (++heardOf > TENANTS_HEARD_OF) forget()
      kind.lately.set(tenantId, costs)
    }
    return costs
  }

  function forget(): void {
    heardOf = 1
    for (const models of kinds.values())
      for (const kind of models.values()) {
        kind.before = kind.lately
        kind.lately = new Map()
      }
  }

  return {
    learn({ tenantId, endpoint, model, outputTokens, cost }) {
      const kind = kindOf(endpoint, model, outputTokens)
      kind.average += (outputTokens - kind.average) / 8
      if (cost === undefined) return
      const pico = Number(cost)
      kind.costs.add(pico)
      if (tenantId !== undefined) ownOf(kind, tenantId).add(pico)
    },
    outputOf: (endpoint, model) => Math.ceil(kinds.get(endpoint)?.get(model)?.average ?? FIRST_GUESS_TOKENS),
    expectedOf(tenantId, model, endpoint) {
      const kind = kinds.get(endpoint)?.get(model)
      const costs = kind?.lately.get(tenantId) ?? kind?.before.get(tenantId)
      if (costs && costs.count >= ENOUGH_CALLS) return BigInt(Math.ceil(costs.read()))
      return kind && kind.costs.count >= ENOUGH_CALLS ? BigInt(Math.ceil(kind.costs.read())) : undefined
    },
  }
}
