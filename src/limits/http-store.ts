// Accounts behind `tallygate serve`: for processes on many machines that share nothing but its address.

import { MeterError } from '../errors.ts'
import { baseOf } from './http-address.ts'
import { createLeasesClient, type LeasesClient } from './http-client.ts'
import {
  accountsIn,
  answersIn,
  changesIn,
  MOST_AT_ONCE,
  type Question,
  toWireKey,
  toWireRule,
  toWireStep,
} from './http-wire.ts'
import type { LimitChanges, LimitStore } from './limit-store.ts'

export interface HttpStoreOptions {
  /** Of a `tallygate serve`, with or without its `/v1/ingest`. */
  readonly url: string
  readonly apiKey?: string | undefined
}

/**
 * A limit store behind `tallygate serve`, for any number of processes. A meter with `url` finds out by itself whether its
 * endpoint is one; this asks no other.
 *
 * @example
 * const meter = new Meter({ limitStore: httpLimitStore({ url: 'https://meter.example.com', apiKey: process.env['TALLYGATE_API_KEY'] }) })
 */
export function httpLimitStore({ url, apiKey }: HttpStoreOptions): LimitStore {
  return leasesOver(createLeasesClient({ baseUrl: baseOf(url), apiKey }))
}

export function leasesOver(client: LeasesClient): LimitStore {
  let asked: { readonly since: number; readonly answer: Promise<LimitChanges> } | undefined
  let changing: Promise<unknown> = Promise.resolve()

  /** One after the other, or two changes of one limit could arrive in the other order. */
  function change(question: Question): Promise<void> {
    const done = changing.then(() => client.ask(question, () => undefined))
    changing = done.catch(() => undefined)
    return done
  }

  async function inParts<One, Answer>(
    all: readonly One[],
    ask: (part: readonly One[]) => Promise<Answer[]>,
  ): Promise<Answer[]> {
    if (all.length <= MOST_AT_ONCE) return all.length === 0 ? [] : ask(all)
    const answers: Answer[] = []
    for (let at = 0; at < all.length; at += MOST_AT_ONCE) answers.push(...(await ask(all.slice(at, at + MOST_AT_ONCE))))
    return answers
  }

  return {
    setLimit: (rule) => change({ op: 'set', rule: toWireRule(rule) }),
    removeLimit: ({ scope, per }) => change({ op: 'remove', key: { scope, per } }),
    changes(since) {
      // Many limits take longer to arrive than anybody waits: whoever asks again waits for the same answer.
      if (asked?.since !== since) {
        const answer = client.ask({ op: 'changes', since }, changesIn)
        const asking = { since, answer }
        const done = () => {
          if (asked === asking) asked = undefined
        }
        asked = asking
        answer.then(done, done)
      }
      return asked!.answer
    },
    accounts: (keys) =>
      inParts(keys, (part) =>
        client.ask({ op: 'accounts', keys: part.map(toWireKey) }, (body) => accountsIn(body, part.length)),
      ),
    lease: (steps) =>
      inParts(steps, (part) =>
        client.ask({ op: 'lease', steps: part.map(toWireStep) }, (body) => answersIn(body, part.length)),
      ),
    close: () => client.close(),
  }
}

export type Verdict = LimitChanges | 'foreign' | 'unsure'

/** What a client that never asked learns by its first question: the limits, that nobody there knows leases, or nothing yet. */
export async function firstAnswer(client: LeasesClient): Promise<Verdict> {
  try {
    const { status, body } = await client.greet()
    if (status !== 200) return isForeign(status) ? 'foreign' : 'unsure'
    try {
      return changesIn(body)
    } catch {
      return 'foreign'
    }
  } catch (error) {
    if (error instanceof MeterError) return 'unsure'
    throw error
  }
}

/** Not of one that may well know leases, and does not let us in, is busy, or broken at this moment. */
function isForeign(status: number): boolean {
  if (status < 300 || status === 501) return true
  return status >= 400 && status < 500 && ![401, 403, 407, 408, 425, 429].includes(status)
}
