// `POST /v1/leases`: the limit store behind the server, for the processes of many machines. The contract is docs/wire.md.

import {
  fromWireKey,
  fromWireRule,
  fromWireStep,
  LEASES_VERSION,
  MOST_NANO,
  type Question,
  toWireAccount,
  toWireAnswer,
  toWireChanges,
} from '../limits/http-wire.ts'
import type { LimitKey, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { fieldsOf, tenantScope } from '../limits/scope.ts'
import { PICO_PER_NANO, picoFromNano } from '../money.ts'
import type { Ledger, StoredLimit } from '../sinks/ledger.ts'
import { answer, refusal } from './answer.ts'
import { ownedBy } from './lease-owner.ts'
import { questionIn } from './lease-questions.ts'
import { createLeaseSpend, type LeaseSpend } from './lease-spend.ts'
import type { NoteLimit, PlainLimit, PlainLimits } from './limits.ts'
import { createRulesKnown, nameOf, type RulesKnown, ruleInWords } from './rules-known.ts'

export interface LeasesOptions {
  readonly store: LimitStore
  readonly ledger: Ledger
  readonly now: () => number
  /** The store has failed; no argument: it works. */
  readonly went: (cause?: unknown) => void
}

export interface Leases {
  /** Throws MeterError `BAD_INPUT` for a question that cannot be. */
  answer(body: unknown, project: string | undefined, note?: NoteLimit): Promise<Response>
  /** What a GET asks: all limits, and whether anybody is there who knows of leases. */
  greet(project: string | undefined): Promise<Response>
  /** The plain limits of a project's tenants; those of no project are in the ledger too, as they were before. */
  limitsOf(project: string | undefined): PlainLimits
}

interface Owned {
  readonly store: LimitStore
  readonly spend: LeaseSpend
  readonly known: RulesKnown
  /** Where plain limits of tenants are kept besides, for `GET /v1/limits` and for reports: those of no project. */
  readonly ledger: Ledger | undefined
}

const RETRY_AFTER_SECONDS = 1

export function createLeases({ store, ledger, now, went }: LeasesOptions): Leases {
  const owners = new Map<string | undefined, Owned>()
  let bringing: Promise<void> | undefined

  function ownerOf(project: string | undefined): Owned {
    let owned = owners.get(project)
    if (!owned) {
      const own = ownedBy(store, project)
      const spend = createLeaseSpend({ ledger, store: own, project, now, failed: went })
      const book = project === undefined ? ledger : undefined
      owned = { store: own, spend, known: createRulesKnown(own), ledger: book }
      owners.set(project, owned)
    }
    return owned
  }

  /** Limits that the ledger had before there was a store. */
  function brought(): Promise<void> {
    bringing ??= bring().catch((cause: unknown) => {
      bringing = undefined
      throw cause
    })
    return bringing
  }

  async function bring(): Promise<void> {
    const { rules, removed } = await store.changes(0)
    const names = new Set([...rules, ...removed].map(nameOf))
    for (const limit of await ledger.limits()) {
      const rule = ruleFrom(limit)
      if (!names.has(nameOf(rule))) await store.setLimit(rule)
    }
  }

  async function ask(
    question: Question,
    { store: own, spend, known, ledger: book }: Owned,
    note?: NoteLimit,
  ): Promise<object> {
    switch (question.op) {
      case 'changes':
        return toWireChanges(await own.changes(question.since))
      case 'set': {
        const rule = fromWireRule(question.rule)
        const before = note && (await known.inWords(rule))
        await own.setLimit(rule)
        const tenantId = tenantOf(rule)
        const after = ruleInWords(rule)
        // Each process sets its limits again when it starts.
        if (note && after !== before)
          await note({ what: 'limit.set', of: tenantId ?? rule.scope, before: before!, after })
        if (!book || tenantId === undefined) return {}
        const [stored] = plainIn(rule)
        if (stored && isKeptBy(rule)) await book.putLimit(stored)
        else await book.removeLimit(tenantId, rule.per)
        return {}
      }
      case 'remove': {
        const before = note && (await known.inWords(question.key))
        await own.removeLimit(question.key)
        const tenantId = tenantOf(question.key)
        const of = tenantId ?? question.key.scope
        if (note && before) await note({ what: 'limit.removed', of, before, after: null })
        if (book && tenantId !== undefined) await book.removeLimit(tenantId, question.key.per)
        return {}
      }
      case 'accounts': {
        const accounts = await own.accounts(question.keys.map(fromWireKey))
        return { accounts: accounts.map((account) => (account ? toWireAccount(account) : null)) }
      }
      case 'lease': {
        const steps = await spend.opening(question.steps.map(fromWireStep))
        const answers = await own.lease(steps)
        spend.answered(steps, answers)
        return { answers: answers.map((one) => (one ? toWireAnswer(one) : null)) }
      }
    }
  }

  async function answerTo(body: unknown, project: string | undefined, note?: NoteLimit): Promise<Response> {
    const version = (body as { version?: unknown } | null)?.version
    if (version !== LEASES_VERSION)
      return Number.isInteger(version) && (version as number) > LEASES_VERSION
        ? refusal(415, `This server takes versions of leases up to ${LEASES_VERSION}.`)
        : refusal(400, `Expected \`version\` to be ${LEASES_VERSION}.`)
    const question = await questionIn(body)
    try {
      await brought()
      const said = await ask(question, ownerOf(project), note)
      went()
      return answer(200, { version: LEASES_VERSION, ...said })
    } catch (cause) {
      went(cause)
      return refusal(503, 'The limit store is not available.', { 'retry-after': String(RETRY_AFTER_SECONDS) })
    }
  }

  return {
    greet: (project) => answerTo({ version: LEASES_VERSION, op: 'changes', since: 0 }, project),
    answer: answerTo,
    limitsOf(project) {
      const { store: own, spend, ledger: book } = ownerOf(project)
      return {
        async limits() {
          await brought()
          return (await own.changes(0)).rules.flatMap(plainIn)
        },
        spent: (tenantId, since) => spend.ofTenant(tenantId, since),
        async putLimit(limit) {
          await own.setLimit(ruleFrom(limit))
          await book?.putLimit(limit)
        },
        async removeLimit(tenantId, window) {
          await own.removeLimit({ scope: tenantScope(tenantId), per: window })
          await book?.removeLimit(tenantId, window)
        },
      }
    },
  }
}

/** A ledger can keep more than a store counts to, which nobody spends. */
function ruleFrom({ tenantId, window, limit, mode }: StoredLimit): LimitRule {
  const nano = limit / PICO_PER_NANO
  const limitNanoUsd = nano < MOST_NANO ? nano : MOST_NANO
  return { scope: tenantScope(tenantId), per: window, limitNanoUsd, mode, settings: {} }
}

function plainIn(rule: LimitRule): PlainLimit[] {
  const tenantId = tenantOf(rule)
  const { per: window, limitNanoUsd, mode, settings } = rule
  return tenantId === undefined ? [] : [{ tenantId, window, limit: picoFromNano(limitNanoUsd), mode, settings }]
}

/** A ledger keeps nothing of a time zone and the like. */
function isKeptBy({ settings }: LimitRule): boolean {
  return Object.keys(settings).length === 0
}

/** Of a limit that is for a whole tenant. */
function tenantOf({ scope }: LimitKey): string | undefined {
  const fields = fieldsOf(scope)
  const [[field, tenantId] = ['', undefined]] = fields
  return fields.length === 1 && field === 'tenant' ? tenantId : undefined
}
