// The smaller seams inside a Stainless SDK's `makeRequest`: what is sent, which attempt failed, whether a body came whole.
//
// - `buildRequest(options, ...)`: openai 4.0 to 7.57, @anthropic-ai/sdk 0.20 to 1.12. Gives `{ req, url, timeout }`
//   with the encoded body, before it is signed; once per attempt. Synchronous in openai up to 5.0 and in
//   @anthropic-ai/sdk up to 0.52, where a content-length stands among the headers as well.
// - `prepareRequest(req, { url })`: the same versions; awaited, with nothing sent yet.
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
  /** The same, begun by a `buildRequest` that cannot wait for it. */
  admission: void | Promise<void>
  /** What the host says against a request to which we have added: SDKs show only the texts they know how to find. */
  complaint: Promise<string> | undefined
}

// One for every copy of this package in the process: a client wrapped by one may be of an SDK patched by the other.
const KEY = Symbol.for('tallygate.sending')
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Sending | undefined> }
export const sending = (shared[KEY] ??= new AsyncLocalStorage<Sending | undefined>())

export function patchSeams(owner: object, level: symbol, undos: (() => void)[]): void {
  const now = (isActive: () => boolean): Sending | undefined => {
    const current = isActive() ? sending.getStore() : undefined
    return current?.level === level ? current : undefined
  }
  const seams = {
    buildRequest: (original: BuildRequest, isActive: () => boolean): BuildRequest =>
      function buildRequest(...args) {
        const built = original.apply(this, args)
        const current = now(isActive)
        if (!current?.isTextNeeded) return built
        if (built instanceof Promise) return built.then((request) => encodeAndAdmit(request, current))
        encode(built, current)
        return built
      },
    prepareRequest: (original: PrepareRequest, isActive: () => boolean): PrepareRequest =>
      function prepareRequest(...args) {
        const admission = now(isActive)?.admission
        return admission ? admission.then(() => original.apply(this, args)) : original.apply(this, args)
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
  for (const [name, make] of Object.entries(seams))
    if (name in owner && ownerOf(owner, name)) undos.push(replaceMethod(owner, name, make as typeof seams.shouldRetry))
}

type BuildRequest = (this: unknown, ...args: unknown[]) => Built | Promise<Built>
type PrepareRequest = (this: unknown, ...args: unknown[]) => Promise<unknown>
type ShouldRetry = (this: unknown, response: Response, ...rest: unknown[]) => unknown
type ParseResponse = (this: unknown, client: unknown, props: ResponseProps, ...rest: unknown[]) => Promise<unknown>

interface Built {
  readonly req: { body?: unknown; readonly headers?: Record<string, unknown> }
}

async function complaintOf(response: Response): Promise<string> {
  try {
    return await response.clone().text()
  } catch {
    return ''
  }
}

function encode({ req }: Built, current: Sending): void {
  const { exchange, admit } = current
  if (typeof req.body === 'string') {
    const text = exchange.encoded(req.body)
    if (text !== req.body) correctLength(req.headers, text)
    req.body = text
  }
  current.admit = undefined
  current.admission = admit?.()
}

function correctLength(headers: Record<string, unknown> = {}, text: string): void {
  // `Content-Length` in openai 4.0.
  const name = Object.keys(headers).find((key) => key.toLowerCase() === 'content-length')
  if (name !== undefined) headers[name] = String(Buffer.byteLength(text))
}

async function encodeAndAdmit(request: Built, current: Sending): Promise<Built> {
  encode(request, current)
  await current.admission
  return request
}
