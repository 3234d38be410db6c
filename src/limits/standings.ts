// Where limits stand, for whoever asks without making a call.

import { expected, type LimitWindow, MeterError } from '../errors.ts'
import { type PicoUsd, parseDollars } from '../money.ts'
import type { LookAhead } from './comes-back.ts'
import { isEnforced } from './estimate.ts'
import { type LimitState, stateOf } from './limit.ts'
import type { MaybePromise } from './limit-store.ts'
import { isPromise, type Pocket, standingOf, TELL } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { RuleBook } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import type { Teller } from './teller.ts'

/** Whether a call may happen, as things are. */
export interface LimitCheck {
  readonly allowed: boolean
  /** The limits that the call would count in. */
  readonly limits: readonly LimitState[]
  /** The first of them that has not enough left. */
  readonly exceeded: LimitState | undefined
}

/** What `checkLimit` is asked. Throws MeterError `BAD_INPUT` in one sentence. */
export function costIn(question: { readonly estimateUsd?: number | string }): PicoUsd {
  if (typeof question !== 'object' || question === null)
    throw new MeterError('BAD_INPUT', expected('question', 'an object such as `{ estimateUsd: 0.25 }`', question))
  const { estimateUsd = 0, ...rest } = question
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw new MeterError(
      'BAD_INPUT',
      `There is no field \`${unknown.slice(0, 40)}\` in a question about limits; the only one is estimateUsd.`,
    )
  const cost = parseDollars(estimateUsd)
  if (cost === undefined || cost < 0n)
    throw new MeterError('BAD_INPUT', expected('estimateUsd', 'a number of dollars of 0 or more', estimateUsd))
  return cost
}

export interface Standings {
  /** The limits of one scope, after this process has told what it spent. */
  states(scope: string): Promise<LimitState[]>
  state(scope: string, per: LimitWindow): Promise<LimitState | undefined>
  /** Whether a call that costs so much would pass; holds nothing. */
  check(call: Belonging, cost: PicoUsd): Promise<LimitCheck>
}

export interface StandingsSetup {
  readonly book: RuleBook
  readonly pockets: Pockets
  readonly teller: Teller
  readonly lookAhead: LookAhead
  readonly known: (call: Belonging, at: number) => MaybePromise<readonly Pocket[]>
  readonly now: () => number
}

export function createStandings({ book, pockets, teller, lookAhead, known, now }: StandingsSetup): Standings {
  /** As fresh as the store can say; as it was last heard where nobody answers. */
  async function freshen(found: readonly Pocket[]): Promise<readonly LimitState[]> {
    await Promise.all(found.map(async ({ opens }) => opens))
    await Promise.all(found.map(async ({ busy }) => busy))
    const idle = found.filter(({ busy }) => !busy)
    if (idle.length > 0 && !teller.isDown) await teller.send(idle.map((pocket) => [pocket, TELL]))
    if (!teller.isDown) await Promise.all(found.map(async (pocket) => lookAhead(pocket)))
    return found.map(toState)
  }

  async function states(scope: string): Promise<LimitState[]> {
    const tenantId = scope.startsWith('tenant=') ? decodeURIComponent(scope.slice('tenant='.length)) : undefined
    await known({ tenantId }, now())
    return [...(await freshen(book.of(scope).map((live) => pockets.of(live, now()))))]
  }

  return {
    states,
    state: async (scope, per) => (await states(scope)).find(({ window }) => window === per),
    async check(call, cost) {
      const asked = known(call, now())
      const found = isPromise(asked) ? await asked : asked
      const limits = await freshen(found)
      const short = found.findIndex((pocket) => {
        const { limit, spent, held } = standingOf(pocket)
        const left = limit - spent - held
        return isEnforced(pocket.live.rule.mode) && (cost > 0n ? left < cost : left <= 0n)
      })
      return { allowed: short < 0, limits, exceeded: limits[short] }
    },
  }
}

function toState(pocket: Pocket): LimitState {
  const { limit, spent, held } = standingOf(pocket)
  return stateOf(pocket.live.rule, pocket.comesBackAt, { limit, spent, held })
}
