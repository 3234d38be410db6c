// How much the server takes on at once: requests, the bytes they bring, and batches on their way into the ledger.

export interface AdmissionOptions {
  /** Requests under way. */
  readonly maxRequests: number
  /** Bytes of their bodies as they came, packed. */
  readonly maxBytes: number
  /** Bodies that are unpacked and written at once: what an unpacked one takes is many times what came. */
  readonly maxTurns: number
  /** The longest that one waits for its turn: whoever sent it gives up soon after. */
  readonly maxWaitMs: number
}

export interface Admission {
  /** `undefined` where a request of so many bytes is one too many. */
  enter(bytes: number): Place | undefined
  /** What is under way now. */
  readonly requests: number
  readonly bytes: number
  readonly waiting: number
}

/** A request's share of what there is. */
export interface Place {
  /** So many bytes more have come; false where they are too many. */
  grow(bytes: number): boolean
  /** Resolves to true when it is this one's turn, and to false when that takes too long or nobody waits for it any more. */
  turn(signal: AbortSignal): Promise<boolean>
  /** Gives back all of it. */
  leave(): void
}

export function createAdmission({ maxRequests, maxBytes, maxTurns, maxWaitMs }: AdmissionOptions): Admission {
  let requests = 0
  let bytes = 0
  let turns = 0
  const queue = new Set<(isTurn: boolean) => void>()

  function next(): void {
    const [first] = queue
    first?.(true)
  }

  function wait(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (isTurn: boolean): void => {
        queue.delete(done)
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        if (isTurn) turns++
        resolve(isTurn)
      }
      const giveUp = () => done(false)
      const timer = setTimeout(giveUp, maxWaitMs)
      signal.addEventListener('abort', giveUp, { once: true })
      queue.add(done)
    })
  }

  return {
    enter(declared) {
      // One that is alone always fits: how large it may be at all is not decided here.
      if (requests > 0 && (requests >= maxRequests || bytes + declared > maxBytes)) return undefined
      requests++
      let held = 0
      let hasTurn = false
      let isGone = false
      return {
        grow(more) {
          bytes += more
          held += more
          return bytes <= maxBytes || requests === 1
        },
        async turn(signal) {
          if (signal.aborted) return false
          if (turns < maxTurns) {
            turns++
            hasTurn = true
          } else hasTurn = await wait(signal)
          return hasTurn
        },
        leave() {
          if (isGone) return
          isGone = true
          requests--
          bytes -= held
          if (!hasTurn) return
          turns--
          next()
        },
      }
    },
    get requests() {
      return requests
    },
    get bytes() {
      return bytes
    },
    get waiting() {
      return queue.size
    },
  }
}
