// What a limit store's rules say, in words: what the trail of changes calls "before".

import type { LimitKey, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { picoFromNano } from '../money.ts'
import { inWords } from './limits.ts'

export interface RulesKnown {
  /** As the store has it now; `null` for none. */
  inWords(key: LimitKey): Promise<string | null>
}

/**
 * Asks only for what has changed since it last asked: an application that sets a limit for each of its tenants when it
 * starts would otherwise have all of them read for each of them.
 */
export function createRulesKnown(store: LimitStore): RulesKnown {
  const words = new Map<string, string>()
  let revision = 0

  async function learn(): Promise<void> {
    const asked = revision
    const changes = await store.changes(asked)
    // Begun anew by its operator.
    const isAnew = changes.revision < asked
    const { rules, removed, revision: told } = isAnew ? await store.changes(0) : changes
    // Two questions at once, and the answer to the later one came first.
    if (isAnew ? revision !== asked : told < revision) return
    if (isAnew) words.clear()
    for (const rule of rules) words.set(nameOf(rule), ruleInWords(rule))
    for (const key of removed) words.delete(nameOf(key))
    revision = told
  }

  return {
    async inWords(key) {
      await learn()
      return words.get(nameOf(key)) ?? null
    },
  }
}

export function ruleInWords({ per: window, limitNanoUsd, mode, settings }: LimitRule): string {
  return inWords({ window, limit: picoFromNano(limitNanoUsd), mode, settings })
}

export function nameOf({ scope, per }: LimitKey): string {
  return `${per} ${scope}`
}
