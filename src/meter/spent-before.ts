// What was spent under a limit before its account was opened: by the ledger, and by what is still on its way there.

import type { LimitKey } from '../limits/limit-store.ts'
import { fieldsOf, type ScopeField } from '../limits/scope.ts'
import type { Unsynced } from '../limits/unsynced.ts'
import { nanoCeil, type PicoUsd } from '../money.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Dimension, Ledger } from '../sinks/ledger.ts'

export interface SpentBeforeSetup {
  readonly ledger: Ledger | undefined
  readonly unsynced: Unsynced
  readonly problems: ProblemReporter
  readonly deliver: () => Promise<void>
}

type Opened = LimitKey & { readonly tenants?: readonly string[] }

/** A run of an agent is short, and has no column: its limit counts from when it is set. */
const DIMENSIONS: Readonly<Record<ScopeField, Dimension | undefined>> = {
  tenant: 'tenant',
  user: 'user',
  feature: 'feature',
  model: 'model',
  session: 'session',
  run: undefined,
}

/** In nano-dollars. */
export function createSpentBefore({ ledger, unsynced, problems, deliver }: SpentBeforeSetup) {
  function complain(cause: unknown): void {
    problems.report(
      {
        kind: 'ledger',
        message: 'The spend of earlier runs could not be read from the ledger; limits count from now.',
        cause,
      },
      'ledger:spent',
    )
  }

  /** What the ledger knows, and what of our own spend it does not know yet. */
  function ofTenant(tenantId: string, since: number): bigint | Promise<bigint> {
    const beyondAnswer = unsynced.beyondAnswer(tenantId)
    if (!ledger) return nanoCeil(beyondAnswer(since))
    return ledger.spent(tenantId, since).then(
      (known) => nanoCeil(known + beyondAnswer(since)),
      (cause: unknown) => {
        complain(cause)
        return nanoCeil(beyondAnswer(since))
      },
    )
  }

  async function ofScope({ scope, tenants }: Opened, since: number): Promise<bigint> {
    if (tenants) {
      const sums = await Promise.all(tenants.map(async (tenantId) => ofTenant(tenantId, since)))
      return sums.reduce((sum, one) => sum + one, 0n)
    }
    const fields = fieldsOf(scope)
    const by = fields.flatMap(([field]) => DIMENSIONS[field] ?? [])
    if (!ledger || by.length < fields.length) return 0n
    try {
      // Of these the ledger alone knows how much there was: first it is told everything.
      await deliver()
      const key = JSON.stringify(fields.map(([, value]) => value))
      const rows = await ledger.totals({ by, since })
      const own = rows.filter((row) => fields.length === 0 || JSON.stringify(row.key) === key)
      return nanoCeil(own.reduce((sum: PicoUsd, { cost }) => sum + cost, 0n))
    } catch (cause) {
      complain(cause)
      return 0n
    }
  }

  return (opened: Opened, since: number): bigint | Promise<bigint> => {
    const [[field, value] = ['', ''], ...others] = fieldsOf(opened.scope)
    return field === 'tenant' && others.length === 0 ? ofTenant(value, since) : ofScope(opened, since)
  }
}
