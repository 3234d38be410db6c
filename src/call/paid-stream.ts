// A stream that is paid for as it comes: by the text that has arrived, until the limit has no money for more.

import type { LimitExceededError } from '../errors.ts'
import type { Hold } from '../limits/limiter.ts'
import type { StreamReader } from '../providers/provider.ts'

export interface PaidStream {
  /** With which it is to be ended. */
  readonly refusal: LimitExceededError | undefined
  /** A chunk of it was taken by its reader. Nobody waits for the store: what comes meanwhile is made and billed anyway. */
  came(reader: StreamReader): void
}

/** Half a token a byte covers prose and code of every script measured. */
const BYTES_PER_TOKEN = 2

export function payAsItComes(hold: Hold): PaidStream {
  let refusal: LimitExceededError | undefined
  let bytes = 0
  let counted = 0
  let isAsking = false

  const answered = (answer: LimitExceededError | undefined): void => {
    isAsking = false
    refusal = answer
  }

  return {
    get refusal() {
      return refusal
    },
    came(reader) {
      const texts = reader.generated()
      while (counted < texts.length) bytes += Buffer.byteLength(texts[counted++]!)
      const tokens = Math.ceil(bytes / BYTES_PER_TOKEN)
      if (refusal || isAsking || hold.paidTokens === undefined || tokens < hold.paidTokens || isOver(reader)) return
      const answer = hold.topUp(tokens)
      if (!(answer instanceof Promise)) return answered(answer)
      isAsking = true
      answer.then(answered, () => answered(undefined))
    },
  }
}

/** All of it is made and known: to end it now would save nothing. */
function isOver(reader: StreamReader): boolean {
  const { usage, isPartial } = reader.reading()
  return usage !== undefined && isPartial !== true
}
