// Watching the Response of a call, however it is read: by the SDK, by the caller, by both, or by nobody.

import { type Exchange, endOf } from './exchange.ts'
import { endWhenForgotten } from './forgotten.ts'
import { handOverNodeFetch, tapNodeFetch } from './node-fetch.ts'
import { isFree, newObservation, type Observation, observations } from './observation.ts'
import { leaveFailures, watch } from './response-methods.ts'
import type { HandedOver } from './stream.ts'

/** Stands between the caller and `response` from now on; a second call for the same Response does nothing. */
export function observeResponse(response: Response, exchange: Exchange, isStream: boolean): void {
  if (observations.get(response) || exchange.hasEnded || tapNodeFetch(response, exchange, isStream)) return
  const { clone } = response
  const observation = newObservation(exchange, isStream)
  try {
    watch(response, observation)
  } catch {
    // Frozen by its maker: it is the caller's as it is.
    exchange.end('unread')
    return
  }
  if (isStream || exchange.form === 'lines') endWhenForgotten(response, exchange)
  else exchange.unread(() => readUnread(response, observation, clone))
}

/** Reads, on our own account, an answer that nobody has read. */
async function readUnread(response: Response, observation: Observation, clone: () => Response): Promise<void> {
  const { exchange } = observation
  if (!isFree(observation)) return
  try {
    // Read past our methods, which say nothing then.
    if (response.bodyUsed || exchange.form === 'bytes') exchange.end('unread')
    else exchange.answerText(await clone.call(response).text())
  } catch (error) {
    exchange.end(endOf(error), error)
  }
}

/** The stream behind a Response, for the SDK to read and parse untapped. */
export function handOver(response: object): HandedOver | undefined {
  const observation = observations.get(response)
  if (!observation) return handOverNodeFetch(response)
  if (!isFree(observation)) return undefined
  return {
    exchange: observation.exchange,
    claim() {
      if (!isFree(observation)) return false
      observation.reader = 'sdk'
      observation.exchange.isBeingRead = true
      observation.isHandingOver = true
      return true
    },
    duringFirstStep(step) {
      if (!observation.isHandingOver) return step()
      try {
        return step()
      } finally {
        observation.isHandingOver = false
      }
    },
  }
}

/** A body that cannot be read does not end the exchange: the SDK may try again. What it gives in the end does. */
export function leaveFailureToSdk<T>(response: object, parsed: Promise<T>): Promise<T> {
  const observation = observations.get(response)
  if (!observation || observation.isStream) return parsed
  const { exchange } = observation
  leaveFailures(exchange)
  return parsed.catch((error: unknown) => {
    exchange.end(endOf(error), error)
    throw error
  })
}
