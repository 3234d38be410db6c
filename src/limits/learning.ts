// What this process knows of the rules: read when the first call comes, and kept up to date.

import type { LimitChanges, LimitRule, LimitStore, MaybePromise } from './limit-store.ts'
import { isPromise, putBack, TELL } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { LiveRule, RuleBook } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import type { Teller } from './teller.ts'

export interface Learning {
  /** The last change that is known. */
  readonly revision: number
  /** No store has said yet which rules there are. */
  readonly isBlind: boolean
  /** The rules must be known before a call is judged; what is not known because nobody answers holds up nobody. */
  known(call: Belonging): MaybePromise<void>
  learn(changes: LimitChanges): void
  /** The rule is another one, or gone: what is in its pocket goes back. */
  ruleChanged(live: LiveRule): void
}

export interface LearningSetup {
  readonly store: LimitStore
  readonly book: RuleBook
  readonly pockets: Pockets
  readonly teller: Teller
  readonly quietly: (work: () => MaybePromise<unknown>) => void
  /** The rules are known for the first time. */
  readonly loaded: () => void
  /** The store has lost what it knew. */
  readonly lost: () => void
}

export function createLearning({ store, book, pockets, teller, quietly, loaded, lost }: LearningSetup): Learning {
  let revision = 0
  let isLoaded = false
  let loading: Promise<void> | undefined

  function learn(changes: LimitChanges): void {
    if (changes.revision < revision) {
      // A Redis that was emptied: our rules are put back, and our leases put themselves back with their next step.
      lost()
      revision = 0
      for (const { rule } of book.all()) quietly(() => store.setLimit(rule))
      return
    }
    revision = changes.revision
    if (!isLoaded) loaded()
    isLoaded = true
    for (const live of book.apply(changes)) ruleChanged(live)
  }

  function ruleChanged(live: LiveRule): void {
    pockets.ruleChanged(live)
    const { pocket } = live
    if (!pocket || pocket.busy) return
    putBack(pocket)
    quietly(() => teller.send([[pocket, TELL]]))
  }

  function load(): Promise<void> | undefined {
    try {
      const changes = teller.ask(() => store.changes(0))
      if (!isPromise(changes)) {
        learn(changes)
        return undefined
      }
      return changes
        .then((answer) => (store.rulesOf ? undefined : learn(answer)))
        .catch(() => undefined)
        .finally(() => {
          loading = undefined
        })
    } catch {
      return undefined
    }
  }

  return {
    get revision() {
      return revision
    },
    get isBlind() {
      return !isLoaded && !store.rulesOf
    },
    learn,
    ruleChanged,
    known(call) {
      if (!store.rulesOf) {
        if (isLoaded || teller.isDown) return undefined
        loading ??= load()
        // The answer may be that limits are known tenant by tenant only.
        return loading?.then(() => (store.rulesOf ? this.known(call) : undefined))
      }
      const { tenantId } = call
      if (tenantId === undefined) return undefined
      const take = (list: readonly LimitRule[]) => {
        for (const live of book.replace(tenantId, list)) ruleChanged(live)
      }
      const rules = store.rulesOf(tenantId)
      return isPromise(rules) ? rules.then(take) : take(rules)
    },
  }
}
