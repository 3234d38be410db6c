// What a client of @google/genai is sending: what nested calls of its seams belong to, and what the layers below let be.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Exchange } from './exchange.ts'

/** The request that is being sent. */
export interface Sending<Request extends object = object> {
  readonly exchange: Exchange
  readonly request: Request
  /** The patch that sends it: of a wrapped client and its prototype, only one may count. */
  readonly level: symbol
}

// One for every copy of this package in the process: a client wrapped by one may be of an SDK patched by the other.
const KEY = Symbol.for('tallygate.sending.google')
const INTERACTIONS = Symbol.for('tallygate.sending.google.interactions')
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Sending>; [INTERACTIONS]?: AsyncLocalStorage<Sending> }
export const sending = (shared[KEY] ??= new AsyncLocalStorage<Sending>())
/** Of the second client within the SDK, whose requests are others. */
export const sendingInteractions = (shared[INTERACTIONS] ??= new AsyncLocalStorage<Sending>())

/** The call of this SDK in whose context this runs. */
export function exchangeOfGoogle(): Exchange | undefined {
  return (sending.getStore() ?? sendingInteractions.getStore())?.exchange
}
