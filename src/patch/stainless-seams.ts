// The smaller seams inside a Stainless SDK's `makeRequest`: what is sent, which attempt failed, whether a body came whole.
//
// - `buildRequest(options, ...)`: openai 5.0 to 7.57, @anthropic-ai/sdk 0.50 to 1.12. Gives `{ req, url, timeout }`
//   with the encoded body, before it is signed; once per attempt.
// - `shouldRetry(response)`: openai 4.0 to 7.57, @anthropic-ai/sdk 0.20 to 1.12; sees every answer that is not 2xx.
// - `parseResponseWithTimeout(client, props)`: openai 7. Tries again when a body stalls, so a body that could not be
//   read is not the end of the call; what this gives is.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Exchange } from './exchange.ts'
import { leaveFailureToSdk } from './response.ts'
import type { RequestOptions, ResponseProps } from './stainless.ts'
import { resultOf } from './stainless-request.ts'
import { ownerOf, replaceMethod } from './undo.ts'

/** The request that is being sent: what nested calls of the seams belong to. */
export interface Sending {
  readonly exchange: Exchange
  readonly options: RequestOptions
  /** The patch that sends it: of a wrapped client and its prototype, only one may count. */
  readonly level: symbol
  /** A stream, whose usage may have to be asked for, or a request that only its encoding describes. */
  readonly isTextNeeded: boolean
  /** Still to be admitted, once the encoded body has told what it is. */
  admit: (() => void | Promise<void>) | undefined
  /** What the host says against a request to which we have added: SDKs show only the texts they know how to find. */
  complaint: Promise<string> | undefined
}

// One for every copy of this package in the process: a client wrapped by one may be of an SDK patched by the other.
const KEY = Symbol.for('tallygate.sending')
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Sending | undefined> }
export const sending = (shared[KEY] ??= new AsyncLocalStorage<Sending | undefined>())

export function patchSeams(owner: object, level: symbol): (() => void)[] {
  const now = (isActive: () => boolean): Sending | undefined => {
    const current = isActive() ? sending.getStore() : undefined
    return current?.level === level ? current : undefined
  }
  const seams = {
    buildRequest: (original: BuildRequest, isActive: () => boolean): BuildRequest =>
      function buildRequest(...args) {
        const built = original.apply(this, args)
        const current = now(isActive)
        return current?.isTextNeeded ? encode(built, current) : built
      },
    shouldRetry: (original: ShouldRetry, isActive: () => boolean): ShouldRetry =>
      function shouldRetry(response, ...rest) {
        const current = now(isActive)
        if (current) {
          current.exchange.attemptFailed(resultOf(response))
          if (current.exchange.isHiding && (response.status === 400 || response.status === 422))
            current.complaint = complaintOf(response)
        }
        return original.call(this, response, ...rest)
      },
    parseResponseWithTimeout: (original: ParseResponse, isActive: () => boolean): ParseResponse =>
      function parseResponseWithTimeout(client, props, ...rest) {
        const parsed = original.call(this, client, props, ...rest)
        return isActive() ? leaveFailureToSdk(props.response, parsed) : parsed
      },
  }
  return Object.entries(seams).flatMap(([name, make]) =>
    name in owner && ownerOf(owner, name) ? [replaceMethod(owner, name, make as typeof seams.shouldRetry)] : [],
  )
}

type BuildRequest = (this: unknown, ...args: unknown[]) => Promise<Built>
type ShouldRetry = (this: unknown, response: Response, ...rest: unknown[]) => unknown
type ParseResponse = (this: unknown, client: unknown, props: ResponseProps, ...rest: unknown[]) => Promise<unknown>

interface Built {
  readonly req: { body?: unknown }
}

async function complaintOf(response: Response): Promise<string> {
  try {
    return await response.clone().text()
  } catch {
    return ''
  }
}

async function encode(built: Promise<Built>, current: Sending): Promise<Built> {
  const { exchange, admit } = current
  const request = await built
  const { req } = request
  if (typeof req.body === 'string') req.body = exchange.encoded(req.body)
  if (admit) {
    current.admit = undefined
    await admit()
  }
  return request
}
