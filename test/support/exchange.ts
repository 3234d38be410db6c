// An exchange that writes down what a waist tells it.

import { type Exchange, type ExchangeEnd, HIDDEN } from '../../src/patch/exchange.ts'

export interface NotedExchange extends Exchange {
  /** Everything that was told, in order. */
  readonly notes: string[]
  readonly reads: (() => Promise<void>)[]
}

/** `hides` says of a parsed event what the caller gets: itself, another, or `HIDDEN`. */
export function notedExchange(hides?: (data: unknown) => unknown): NotedExchange {
  const notes: string[] = []
  const reads: (() => Promise<void>)[] = []
  let hasEnded = false
  const end = (how: ExchangeEnd | 'answer' | 'answerText', detail?: string) => {
    notes.push(`${hasEnded ? 'ignored ' : ''}${how}${detail === undefined ? '' : ` ${detail}`}`)
    hasEnded = true
  }
  return {
    provider: 'openai',
    wire: 'openai',
    host: 'api.openai.com',
    sent: undefined,
    isFor: () => true,
    isPrepared: () => undefined,
    notes,
    reads,
    isBeingRead: false,
    isHiding: hides !== undefined,
    form: 'json',
    get hasEnded() {
      return hasEnded
    },
    admit: () => undefined,
    encoded: (text) => text,
    isCapped: false,
    isPaidAsItComes: false,
    refusal: undefined,
    retryWithout: () => false,
    attempt: () => void notes.push('attempt'),
    attemptFailed: ({ status }) => void notes.push(`attempt failed ${status}`),
    answered: ({ status }) => void notes.push(`answered ${status}`),
    unread: (read) => void reads.push(read),
    chunk(data) {
      const shown = hides ? hides(data) : data
      notes.push(`chunk ${JSON.stringify(data)}${shown === HIDDEN ? ' hidden' : ''}`)
      return shown
    },
    answer: (json) => end('answer', JSON.stringify(json)),
    answerText: (text) => end('answerText', text),
    malformed: () => void notes.push('malformed'),
    withdraw: () => void notes.push('withdrawn'),
    end: (how, error) => end(how, error === undefined ? undefined : (error as Error).name),
  }
}
