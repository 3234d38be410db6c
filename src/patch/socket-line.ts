// One connection on which an SDK and its provider talk: which responses are under way on it, and who pays for them.

import type { Exchange, ExchangeEnd, ExchangeRequest, Observer } from './exchange.ts'
import type { Message, Received, Talk } from './socket-talk.ts'
import { listensTo } from './traffic.ts'

/** Where the connection leads. */
export type Place = Pick<ExchangeRequest, 'wire' | 'host' | 'path'>

export interface LineSetup {
  readonly place: Place
  readonly talk: Talk
  readonly observer: () => Observer | undefined
  /**
   * Tells the application that it is refused, as its SDK tells of what fails on a connection. `isLate`: whoever has sent
   * what is refused has gone on, and nothing may be thrown.
   */
  refuse(refusal: unknown, isLate: boolean): void
}

export interface Line {
  /** Throws the refusal, or gives the promise of it, where nobody who opens this connection now might have a response. */
  open(): void | Promise<void>
  /** The application sends: `go` does it, at once as a rule, later where a store must be asked, or never. */
  send(message: Message, go: (message: Message) => void): void
  /** What is being sent did not go out. */
  failedToSend(): void
  received(message: Message): void
  /** The connection is lost, or no longer watched: what is under way ends here. */
  end(how: ExchangeEnd): void
}

/** A response that was asked for and of which nothing has come. */
interface Asked {
  readonly lane: string
  readonly id: unknown
  readonly exchange: Exchange
}

/** How often sound is let through before it is asked again whether the response that it may lead to might be made. */
const FEED_CHECK_MS = 1000

export function createLine({ place, talk, observer, refuse }: LineSetup): Line {
  listensTo(place.host)
  const opener = observer()?.capture()
  /** Who has used the connection last: what the provider makes by itself is made for them. */
  let payer = opener
  const asked: Asked[] = []
  const open = new Map<string, Exchange>()
  /** What is sent while a store is asked waits, so that it keeps its order. */
  const later: (() => void)[] = []
  let isWaiting = false
  let sending: Asked | undefined
  let isFeedRefused = false
  let feedCheckedAt = Number.NEGATIVE_INFINITY

  function begin(watcher: Observer, of?: string, event?: Message): Exchange | undefined {
    const path = of === undefined ? place.path : `${place.path}#${of}`
    const body = { ...talk.setting, event }
    return watcher.begin(payer, { ...place, path, method: 'socket', body, stream: true })
  }

  function wait(admission: Promise<void>, then: () => void): void {
    isWaiting = true
    const refuseLate = (refusal: unknown) => refuse(refusal, true)
    void admission.then(then, refuseLate).then(() => {
      isWaiting = false
      while (!isWaiting && later.length > 0) later.shift()?.()
    })
  }

  function ask(watcher: Observer, lane: string, message: Message, go: (message: Message) => void): void {
    const exchange = begin(watcher, undefined, message)
    if (!exchange) {
      go(message)
      return
    }
    const admitted = (sent: Message) => {
      sending = { lane, id: sent['event_id'], exchange }
      exchange.attempt()
      asked.push(sending)
      try {
        go(sent)
      } finally {
        sending = undefined
      }
    }
    let admission: void | Promise<void>
    try {
      admission = exchange.admit()
    } catch (refusal) {
      refuse(refusal, false)
      return
    }
    if (!admission) admitted(message)
    else {
      const copy = copyOf(message) ?? message
      wait(admission, () => admitted(copy))
    }
  }

  /** A response that the provider makes by itself cannot be refused: what leads to it can. */
  function feed(watcher: Observer, message: Message, go: (message: Message) => void): void {
    const now = performance.now()
    if (now - feedCheckedAt >= FEED_CHECK_MS) {
      feedCheckedAt = now
      const refused = (refusal: unknown, isLate: boolean) => {
        isFeedRefused = true
        refuse(refusal, isLate)
      }
      try {
        const asked = watcher.ask?.(payer, place)
        if (!asked) isFeedRefused = false
        else
          void asked.then(
            () => {
              isFeedRefused = false
            },
            (refusal: unknown) => refused(refusal, true),
          )
      } catch (refusal) {
        refused(refusal, false)
      }
    }
    if (!isFeedRefused) go(message)
  }

  function send(message: Message, go: (message: Message) => void): void {
    const watcher = observer()
    const said = watcher && talk.sent(message)
    if (watcher) payer = watcher.capture(opener)
    if (watcher && said?.kind === 'ask') ask(watcher, said.lane, message, go)
    else if (watcher && said?.kind === 'feed') feed(watcher, message, go)
    else go(message)
  }

  function begun(
    watcher: Observer,
    key: string,
    lane: string | undefined,
    of: string | undefined,
  ): Exchange | undefined {
    open.get(key)?.end('complete')
    open.delete(key)
    const at = of === undefined ? asked.findIndex((one) => one.lane === lane) : -1
    let exchange = at >= 0 ? asked.splice(at, 1)[0]?.exchange : undefined
    if (!exchange) {
      exchange = begin(watcher, of)
      exchange?.attempt()
    }
    if (!exchange) return undefined
    exchange.answered({})
    exchange.isBeingRead = true
    open.set(key, exchange)
    return exchange
  }

  function failed({ key, lane, id }: Received, message: Message): void {
    const exchange = lane === undefined ? undefined : open.get(key)
    if (exchange) {
      open.delete(key)
      exchange.chunk(message)
      exchange.end('complete')
      return
    }
    // One that names no request is of the oldest: at worst, what is held for a response is given back too early.
    const isNameless = id === undefined || id === null
    const at = asked.findIndex((one) => (isNameless ? lane === undefined || one.lane === lane : one.id === id))
    const [refused] = at >= 0 ? asked.splice(at, 1) : []
    refused?.exchange.chunk(message)
    refused?.exchange.end('failed', errorOf(message))
  }

  return {
    open() {
      return observer()?.ask?.(opener, place)
    },
    send(message, go) {
      // The application may change its object before its turn comes.
      const copy = isWaiting ? copyOf(message) : undefined
      const watcher = observer()
      if (!copy || !watcher) send(message, go)
      else {
        const inTheirName = watcher.capture(opener)
        later.push(() => watcher.resume(inTheirName, () => send(copy, go)))
      }
    },
    failedToSend() {
      const at = sending ? asked.indexOf(sending) : -1
      if (at >= 0) asked.splice(at, 1)[0]?.exchange.withdraw()
    },
    received(message) {
      const watcher = observer()
      const said = watcher && talk.received(message)
      if (!watcher || !said) return
      const { kind, key, lane, of, message: told = message } = said
      if (kind === 'error') {
        failed(said, told)
        return
      }
      let exchange = kind === 'begun' || kind === 'alone' ? undefined : open.get(key)
      if (!exchange && (kind !== 'part' || said.begins)) exchange = begun(watcher, key, lane, of)
      exchange?.chunk(told)
      if (kind !== 'over' && kind !== 'alone') return
      exchange?.end('complete')
      open.delete(key)
      // Its cost is known: the next sound is let through by what is left of the limit.
      feedCheckedAt = Number.NEGATIVE_INFINITY
    },
    end(how) {
      for (const exchange of open.values()) {
        if (talk.isWatching && how !== 'complete') exchange.withdraw()
        else exchange.end(how)
      }
      if (talk.isWatching && open.size > 0)
        observer()?.problem(
          'A connection that watched a Live session was closed before the session was: its seconds are not metered here.',
        )
      for (const { exchange } of asked) exchange.end('failed')
      open.clear()
      asked.length = 0
    },
  }
}

/** `undefined` for what cannot be encoded: the SDK shall complain of it itself. */
function copyOf(message: Message): Message | undefined {
  try {
    return JSON.parse(JSON.stringify(message)) as Message
  } catch {
    return undefined
  }
}

/** What the provider calls its error; its sentence stays where it is. */
function errorOf(message: Message): unknown {
  const { code, type } = (message['error'] ?? message) as { code?: unknown; type?: unknown }
  return { code, type, status: message['status'] }
}
