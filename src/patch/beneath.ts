// The requests of one call seen from below: middleware of an application, or the `fetch` of its client, may send several.

import { AsyncLocalStorage } from 'node:async_hooks'
import { type Exchange, endOf, type Sent } from './exchange.ts'
import { observations } from './observation.ts'
import { resultOf } from './stainless-request.ts'

/** Where the request of an attempt is noted: on its exchange, or, for a wrapper below another, where that one sends it. */
interface Turn {
  readonly exchange: Exchange
  sent: Sent | undefined
}

// One for every copy of this package in the process: each may have wrapped `fetch`, and they stand one below the other.
const KEY = Symbol.for('tallygate.beneath')
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Turn> }
const turns = (shared[KEY] ??= new AsyncLocalStorage<Turn>())

function turnOf(exchange: Exchange): Pick<Turn, 'sent'> {
  const turn = turns.getStore()
  return turn?.exchange === exchange ? turn : exchange
}

/**
 * What a request for what `exchange` is about is to it. `own`: the one of its attempt. `further`: that one is on its way
 * or answered, and this one will be answered, and billed, as well. `none`: the call is over.
 */
export function placeOf(exchange: Exchange): 'own' | 'further' | 'none' {
  const { sent } = turnOf(exchange)
  if (sent && sent.state !== 'failed') return 'further'
  return exchange.hasEnded ? 'none' : 'own'
}

export const FURTHER =
  'Middleware, or the `fetch` of a client, sends more than one request for a call: each of them that is answered is billed, and is an event of its own.'

type Arrive = (response: Response, exchange: Exchange) => void

/** Sends the call's own request; `arrive` watches its answer from here on, whatever is made of it above. */
export function sendOwn(
  exchange: Exchange,
  send: () => Promise<Response>,
  arrive: Arrive | undefined,
): Promise<Response> {
  const turn = turnOf(exchange)
  // Sent again by whoever wraps the request, as an SDK would.
  if (turn.sent) exchange.attempt()
  const sent: Sent = { state: 'sent', isLeft: false, error: undefined }
  turn.sent = sent
  exchange.sent ??= sent
  const outermost = exchange.sent
  const answer = turns.run({ exchange, sent: undefined }, send)
  answer.then(
    (response) => {
      if (!response.ok) {
        sent.state = 'failed'
        exchange.attemptFailed(resultOf(response))
        if (sent.isLeft) exchange.withdraw()
        return
      }
      const isTaken = outermost.state === 'answered'
      sent.state = outermost.state = 'answered'
      // The SDK has given this attempt up, and has sent another.
      if (!isTaken && exchange.sent === outermost) arrive?.(response, exchange)
    },
    (error: unknown) => {
      sent.state = 'failed'
      sent.error = { error }
      if (sent.isLeft) exchange.end(endOf(error), error)
    },
  )
  return answer
}

/** Whoever made the call has got this answer for it. */
export function answerOf(exchange: Exchange, response: Response, arrive: Arrive): void {
  const { sent } = exchange
  if (sent?.state === 'answered') return
  if (!sent || !observations.get(response)) {
    arrive(response, exchange)
    return
  }
  // That of another request, which has an exchange of its own: whatever comes to the first is no longer the SDK's.
  sent.isLeft = true
  if (sent.state === 'sent') return
  if (sent.error) exchange.end(endOf(sent.error.error), sent.error.error)
  else exchange.withdraw()
}
