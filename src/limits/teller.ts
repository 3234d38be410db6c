// Speaks with the store: one step of a lease after the other, in time, and knows whether anybody answers.

import { MeterError } from '../errors.ts'
import { runAsNobody } from '../tenant.ts'
import type { LeaseAnswer, LeaseStep, LimitStore, MaybePromise } from './limit-store.ts'
import { type Ask, isPromise, type Pocket, stepOf, takeAnswer } from './pocket.ts'

export interface Teller {
  /** The last question got no answer: nobody waits for the next one. */
  readonly isDown: boolean
  /** How often that began. */
  readonly outages: number
  /**
   * One step for each pocket, none of which may be busy, in one question. The pockets have taken their answers in when
   * it is done: `undefined` stands for a rule that the store does not know. Never throws: without an answer it gives `undefined`.
   */
  send(steps: readonly (readonly [Pocket, Ask])[]): MaybePromise<Answers | undefined>
  /** Any other question, which fails as the store fails. */
  ask<T>(question: () => MaybePromise<T>): MaybePromise<T>
}

export type Answers = readonly (LeaseAnswer | undefined)[]

export interface TellerSetup {
  readonly store: LimitStore
  readonly monotonic: () => number
  readonly ttlMs: number
  /** A store that takes longer is taken for down. */
  readonly timeoutMs: number
  readonly answered: (pocket: Pocket, step: LeaseStep, answer: LeaseAnswer) => void
  readonly went: (state: 'down' | 'up', cause?: unknown) => void
}

export function createTeller({ store, monotonic, ttlMs, timeoutMs, answered, went }: TellerSetup): Teller {
  let isDown = false
  let outages = 0

  function up(): void {
    if (!isDown) return
    isDown = false
    went('up')
  }

  function down(cause: unknown): void {
    if (isDown) return
    isDown = true
    outages++
    went('down', cause)
  }

  function ask<T>(question: () => MaybePromise<T>): MaybePromise<T> {
    let answer: MaybePromise<T>
    try {
      // Our own questions are nobody's: a tenant's name must not travel with the connection that they open.
      answer = runAsNobody(question)
    } catch (cause) {
      down(cause)
      throw cause
    }
    if (!isPromise(answer)) {
      up()
      return answer
    }
    return inTime(answer, timeoutMs).then(
      (value) => {
        up()
        return value
      },
      (cause: unknown) => {
        down(cause)
        throw cause
      },
    )
  }

  return {
    ask,
    get isDown() {
      return isDown
    },
    get outages() {
      return outages
    },
    send(asks) {
      const sentAt = monotonic()
      const steps: LeaseStep[] = asks.map(([pocket, one]) => stepOf(pocket, one, ttlMs))
      const take = (answers: Answers): Answers => {
        asks.forEach(([pocket], at) => {
          const answer = answers[at]
          if (!answer) return
          takeAnswer(pocket, steps[at]!, answer, sentAt + ttlMs)
          answered(pocket, steps[at]!, answer)
        })
        return answers
      }
      try {
        const answers = ask(() => store.lease(steps))
        if (!isPromise(answers)) return take(answers)
        const done = answers.then(take, () => undefined)
        const free = done.finally(() => {
          for (const [pocket] of asks) if (pocket.busy === free) pocket.busy = undefined
        })
        for (const [pocket] of asks) pocket.busy = free
        return free
      } catch {
        return undefined
      }
    },
  }
}

/** What comes later comes to nobody: the step is sent again under the same number, which grants the same and no more. */
export function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new MeterError('LIMIT_STORE_DOWN', `The limit store did not answer within ${timeoutMs} ms.`)),
      timeoutMs,
    )
    const settled = () => clearTimeout(timer)
    answer.then(resolve, reject)
    answer.then(settled, settled)
  })
}
