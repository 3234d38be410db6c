// What nobody reads to its end, and nobody says will not be read: that it is over shows when it is collected.

import type { Exchange } from './exchange.ts'

const forgotten = new FinalizationRegistry<Exchange>((exchange) => exchange.end('unread'))

export function endWhenForgotten(target: object, exchange: Exchange): void {
  forgotten.register(target, exchange, exchange)
}

/** It has ended. Left in the registry, each would be work for the collector until it is gone: some 3 us for a stream. */
export function stopWaitingFor(exchange: Exchange): void {
  forgotten.unregister(exchange)
}
