// What a call of `fetch` asks for, read without taking anything from it.

import type { Fetch } from './fetch.ts'

export type FetchInput = Parameters<Fetch>[0]
export type FetchInit = Parameters<Fetch>[1]

/** What a call's address has before its path, as written; empty where it is for no host. */
export function originOf(input: FetchInput): string {
  const url = typeof input === 'string' ? input : urlOf(input)
  const start = url.indexOf('://') + 3
  if (start < 3) return ''
  // No query is looked for: an address without a path is rare, and is told from others by all of its text.
  const end = url.indexOf('/', start)
  return end < 0 ? url : url.slice(0, end)
}

/** The address that a call is for: of a URL, of a Request, or of whatever `fetch` makes a text of. */
export function urlOf(input: FetchInput): string {
  if (typeof input === 'string') return input
  const { href, url } = input as { href?: unknown; url?: unknown }
  if (typeof href === 'string') return href
  // Any other object is what `fetch` itself would take: its text.
  return typeof url === 'string' ? url : `${input as unknown as string}`
}

/** `undefined` for what is no address; `fetch` itself will say so. */
export function addressOf(input: FetchInput): URL | undefined {
  try {
    return new URL(urlOf(input))
  } catch {
    return undefined
  }
}

export function isRequest(input: FetchInput): input is Request {
  return typeof input === 'object' && typeof (input as Request).clone === 'function' && 'headers' in input
}

/** A body as far as it may be looked at: a form, or the text of one that can be read without being used up. */
export interface Known {
  readonly text?: string
  readonly form?: FormData
}

const UNKNOWN: Known = {}

/**
 * The body of a call. A stream is the caller's alone: what it holds is not known before it is sent, nor after.
 * A promise only where the body is a Blob or that of a Request.
 */
export function bodyOf(input: FetchInput, init: FetchInit): Known | Promise<Known> {
  const body: unknown = init?.body
  if (body === undefined || body === null) return isRequest(input) && input.body ? bodyOfRequest(input) : UNKNOWN
  if (typeof body === 'string') return { text: body }
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return textOfBytes(body)
  if (body instanceof Blob) return textOfBlob(body)
  return isForm(body) ? { form: body } : UNKNOWN
}

/** Node's FormData, or the one of a package, which is no instance of it. */
function isForm(body: unknown): body is FormData {
  const form = body as { append?: unknown; getAll?: unknown }
  return typeof form.append === 'function' && typeof form.getAll === 'function' && !(body instanceof URLSearchParams)
}

const OPEN_BRACE = 123

function textOfBytes(body: ArrayBuffer | ArrayBufferView): Known {
  const bytes = ArrayBuffer.isView(body)
    ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
    : new Uint8Array(body)
  // Sound or an image: nothing that would be JSON.
  return bytes[0] === OPEN_BRACE ? { text: new TextDecoder().decode(bytes) } : UNKNOWN
}

async function textOfBlob(blob: Blob): Promise<Known> {
  return textOfBytes(await blob.slice(0, 1).arrayBuffer()).text === undefined ? UNKNOWN : { text: await blob.text() }
}

/**
 * A Request has its body as a stream, whatever it was made of. What was a text or bytes is there at once; what is not,
 * by the time the event loop has turned, comes from elsewhere: it is left alone, and nothing of it is lost.
 */
async function bodyOfRequest(request: Request): Promise<Known> {
  if (request.bodyUsed || request.body!.locked || /^multipart\//i.test(request.headers.get('content-type') ?? ''))
    return UNKNOWN
  let timer: ReturnType<typeof setImmediate> | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setImmediate(resolve, 'late')
  })
  const reader = request.clone().body!.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const step = await Promise.race([reader.read(), late])
      if (step === 'late') return UNKNOWN
      if (step.done) return { text: text + decoder.decode() }
      text += decoder.decode(step.value, { stream: true })
      if (text.charCodeAt(0) !== OPEN_BRACE) return UNKNOWN
    }
  } catch {
    return UNKNOWN
  } finally {
    clearImmediate(timer)
    reader.cancel().catch(() => undefined)
  }
}

/** Inside of a string every quote has a backslash: this is a field of the request, or of something in it. */
const STREAMS = /"stream"\s*:\s*true/

/** Whether the caller asks for a stream: with the field that most wires have for it, or by the method of the path. */
export function asksForStream(path: string, { text, form }: Known): boolean {
  if (form) return form.get('stream') === 'true'
  if (path.includes(':stream')) return true
  if (text === undefined || !STREAMS.test(text)) return false
  try {
    return (JSON.parse(text) as { stream?: unknown }).stream === true
  } catch {
    return false
  }
}

/** Signed requests, and those that say how long they are, can only be sent as they came. */
const FIXED = /^(?:content-length|content-md5|digest|content-digest|x-amz-content-sha256)$/i

export function mayChange(input: FetchInput, init: FetchInit): boolean {
  try {
    const headers = new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined))
    return ![...headers.keys()].some((name) => FIXED.test(name))
  } catch {
    // `fetch` itself will say what is wrong with them.
    return false
  }
}

/** What is to be sent with another text for its body, in the form that the caller gave it. */
export function withBody(init: FetchInit, text: string): NonNullable<FetchInit> {
  const given: unknown = init?.body
  const body =
    given instanceof Blob
      ? new Blob([text], { type: given.type })
      : given === undefined || given === null || typeof given === 'string'
        ? text
        : new TextEncoder().encode(text)
  // What stands on its prototype is read too, and a wrapper below may copy only what is its own.
  const copy = Object.create(Object.getPrototypeOf(init ?? {}) as object, Object.getOwnPropertyDescriptors(init ?? {}))
  return Object.defineProperty(copy as NonNullable<FetchInit>, 'body', {
    value: body,
    enumerable: true,
    writable: true,
  })
}
