// Money set aside for one call.

import type { LimitExceededError } from '../errors.ts'
import { isPaidAsItComes, STREAM_SLICE_TOKENS } from './estimate.ts'
import type { MaybePromise } from './limit-store.ts'
import { isPromise } from './pocket.ts'
import { refusal, storeIsDown } from './refuse.ts'
import type { Part, Reservation } from './reserve.ts'
import type { Belonging } from './scope.ts'
import { type createTopUp, paidIn, type Short } from './top-up.ts'

/** Money set aside for one call, in every account that the call counts in. Settled once; later settlements do nothing. */
export interface Hold {
  readonly call: Belonging
  readonly parts: readonly Part[]
  /** The output cap in tokens that the request must be sent with: a limit of mode `clamp` has lowered it. */
  readonly cap: number | undefined
  /** The output in tokens that is paid for: before more of a stream is passed on, `topUp` is to be asked. `undefined`: all of it. */
  readonly paidTokens: number | undefined
  /** A stream has come to so many tokens of output. Gives the refusal with which it is to be ended, if any. */
  topUp(outputTokens: number): MaybePromise<LimitExceededError | undefined>
  readonly isSettled: boolean
}

export interface OwnHold extends Hold {
  readonly version: number
  /** The number under which it was written down; 0 where it was not. */
  noted: number
  isSettled: boolean
  paidTokens: number | undefined
}

export interface HoldSetup {
  readonly version: number
  readonly topUp: ReturnType<typeof createTopUp>
  /** It holds more. */
  readonly raised: (hold: OwnHold) => void
  /** The stream is to be ended. */
  readonly ended: () => void
}

export function holdOf(
  call: Belonging,
  { parts, estimate, cap }: Reservation,
  { version, topUp, raised, ended }: HoldSetup,
): OwnHold {
  const most = estimate.outputTokens ?? 0
  const isInSlices =
    isPaidAsItComes(estimate) &&
    most > STREAM_SLICE_TOKENS &&
    parts.some(({ pocket }) => pocket.live.rule.mode === 'stream')
  const hold: OwnHold = {
    call,
    parts,
    cap,
    version,
    noted: 0,
    isSettled: false,
    paidTokens: isInSlices ? STREAM_SLICE_TOKENS : undefined,
    topUp(outputTokens) {
      if (hold.isSettled || hold.paidTokens === undefined || outputTokens < hold.paidTokens) return undefined
      const next = Math.min(outputTokens + STREAM_SLICE_TOKENS, most)
      // While the store is asked.
      hold.paidTokens = next
      const answered = (short: Short | undefined): LimitExceededError | undefined => {
        if (!short) {
          if (hold.isSettled) return undefined
          const paid = paidIn(parts, estimate, next)
          hold.paidTokens = paid === most ? undefined : paid
          raised(hold)
          return undefined
        }
        ended()
        const { pocket } = short.part
        return short.isDown ? storeIsDown(pocket, { call }) : refusal(pocket, estimate, { call })
      }
      const short = topUp(parts, estimate, { came: outputTokens, next }, () => !hold.isSettled)
      return isPromise(short) ? short.then(answered) : answered(short)
    },
  }
  return hold
}
