// What a limiter has to tell of its store and of its limits, as problems and warnings.

import { MeterError } from '../errors.ts'
import type { BequestNews } from '../limits/bequest.ts'
import type { LimitRule, LimitStore } from '../limits/limit-store.ts'
import type { LimitWarning } from '../limits/warnings.ts'
import type { ProblemReporter } from '../problems.ts'

export type StoreNews = ReturnType<typeof createStoreNews>

export function createStoreNews(problems: ProblemReporter, onWarning: ((warning: LimitWarning) => void) | undefined) {
  /** Under `raiseOnError` a report throws, and there is no caller of ours to throw it at. */
  function tell(message: string, cause: unknown, key: string): void {
    try {
      problems.report({ kind: 'limit', message, cause }, key)
    } catch {
      return
    }
  }

  return {
    storeWent(state: 'down' | 'up' | 'lost', cause: unknown): void {
      if (state === 'down') {
        problems.clear('limit:store-up')
        const said = ourWords(cause) ?? 'The limit store does not answer'
        tell(`${said}; until it does, calls go on or are refused as \`onLimitStoreDown\` says.`, cause, 'limit:store')
      } else if (state === 'up') {
        problems.clear('limit:store')
        tell('The limit store answers again; it is told what was spent meanwhile.', undefined, 'limit:store-up')
      } else tell('The limit store has lost its limits; those known here are set again.', undefined, 'limit:store-lost')
    },
    /** What a dead process has left is settled; only what cannot be read is worth a word. */
    inherited({ kept, store, unreadable }: BequestNews): void {
      if (kept > 0) tell(leftMessage(store), undefined, 'limit:bequest-kept')
      if (unreadable === undefined) return
      tell(
        'What a dead process wrote down of its money cannot be read; its slices of limits stay charged.',
        unreadable,
        'limit:bequest',
      )
    },
    inMemory(cause: unknown): void {
      const said = ourWords(cause) ?? 'A file for limits cannot be made'
      tell(`${said}; limits are kept in the memory of this process only.`, cause, 'limit:memory')
    },
    strangeZone({ scope, per, settings }: LimitRule): void {
      const limit = `The limit per ${per} of ${scope}`
      tell(
        `${limit} is in the time zone ${settings.timeZone}, which this Node does not know: here its windows begin by UTC.`,
        undefined,
        `limit:zone:${per} ${scope}`,
      )
    },
    overran(): void {
      tell(
        'A call under a hard limit cost more than the most that it was taken to cost; it counts in full.',
        undefined,
        'limit:overrun',
      )
    },
    warned(warning: LimitWarning): void {
      problems.guard('callback', 'calling `onLimitWarning`', () => onWarning?.(warning))
    },
    /** Asks a store once whether it may lose limits by how it is run. */
    doubted(store: LimitStore, keep: (work: Promise<unknown>) => void): void {
      if (!store.doubts) return
      const asked = (async () => store.doubts!())().then(
        (doubt) => doubt !== undefined && tell(doubt, undefined, 'limit:doubt'),
        () => undefined,
      )
      keep(asked)
    },
  }
}

function leftMessage(store: string | undefined): string {
  const which = store === undefined ? '' : ` (${store})`
  return `What a dead process held of limits is in a limit store${which} that this meter does not have: its spool stays until a meter with that store, or \`npx tallygate drain --limits <url>\`, settles it.`
}

/** Errors of ours name the status, or what is wrong with an answer; any other is a connection that failed, and can hold anything. */
export function ourWords(cause: unknown): string | undefined {
  return cause instanceof MeterError ? cause.message.replace(/\.$/, '') : undefined
}
