// The body of a request: bounded before it is read, while it is read, while it is unpacked, and before it is parsed.

import { isAscii, isUtf8 } from 'node:buffer'
import { gunzip, gunzipSync } from 'node:zlib'
import { refusal } from './answer.ts'
import { shapeFault } from './json-shape.ts'

const SYNC_UP_TO_BYTES = 64 * 1024

/** As it came. */
export interface PackedBody {
  readonly bytes: Buffer
  readonly isGzip: boolean
}

/** The JSON of a body, or the answer to one that cannot be taken. */
export async function readJson(request: Request, maxBytes: number): Promise<{ value: unknown } | Response> {
  const body = await receive(request, maxBytes)
  if (body instanceof Response) return body
  const plain = await unpack(body, maxBytes)
  if (plain instanceof Response) return plain
  const text = textOf(plain)
  return text instanceof Response ? text : parseText(text, plain)
}

/** `grow` is told of the bytes as they come, and says false where they are more than there is room for. */
export async function receive(
  request: Request,
  maxBytes: number,
  grow: (bytes: number) => boolean = () => true,
): Promise<PackedBody | Response> {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() || 'identity'
  if (encoding !== 'gzip' && encoding !== 'identity')
    return refusal(415, 'Bodies come plain or with `Content-Encoding: gzip`.', { 'accept-encoding': 'gzip, identity' })
  if (declaredBytes(request) > maxBytes) return tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length
      if (size > maxBytes) return tooLarge(maxBytes)
      if (!grow(chunk.length)) return busy()
      chunks.push(chunk)
    }
  } catch {
    // The client went away in the middle of it: nobody reads this.
    return refusal(400, 'The body ended before its end.')
  }
  return {
    bytes: chunks.length === 1 ? Buffer.from(chunks[0]!.buffer, chunks[0]!.byteOffset, size) : Buffer.concat(chunks),
    isGzip: encoding === 'gzip',
  }
}

export function declaredBytes(request: Request): number {
  return Number(request.headers.get('content-length') ?? 0)
}

/** The text of a body, or the answer to one that is none. */
export function textOf(plain: Buffer): string | Response {
  // Decoded all the same, two ids of other bytes could become one.
  return isUtf8(plain) ? plain.toString(isAscii(plain) ? 'latin1' : 'utf8') : refusal(400, 'The body is not UTF-8.')
}

/** What a text holds that is `plain` as bytes. */
export function parseText(text: string, plain: Buffer): { value: unknown } | Response {
  const fault = shapeFault(plain)
  if (fault === 'too-deep') return refusal(400, 'The body is nested too deep.')
  if (fault === 'too-many') return refusal(413, 'The body holds too many objects for its size.')
  try {
    return { value: JSON.parse(text) }
  } catch {
    // The error would quote the body.
    return refusal(400, 'The body is not JSON.')
  }
}

/** `maxOutputLength` stops a small body that unpacks to gigabytes. */
export async function unpack({ bytes: packed, isGzip }: PackedBody, maxBytes: number): Promise<Buffer | Response> {
  if (!isGzip) return packed
  const options = { maxOutputLength: maxBytes, chunkSize: sizeIn(packed, maxBytes) }
  try {
    if (packed.length <= SYNC_UP_TO_BYTES / 8) return gunzipSync(packed, options)
    return await new Promise((resolve, reject) => {
      gunzip(packed, options, (error, bytes) => (error ? reject(error) : resolve(bytes)))
    })
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(maxBytes)
    return refusal(400, 'The body is not gzip, which its `Content-Encoding` says it is.')
  }
}

const LEAST_CHUNK_BYTES = 16 * 1024

/** What a gzip says at its end that it holds, and a byte more, without which zlib asks for another piece. It may lie. */
function sizeIn(packed: Buffer, maxBytes: number): number {
  const said = packed.length < 4 ? 0 : packed.readUInt32LE(packed.length - 4)
  return Math.max(LEAST_CHUNK_BYTES, Math.min(said, maxBytes) + 1)
}

function tooLarge(maxBytes: number): Response {
  return refusal(413, `A body is at most ${maxBytes} bytes, unpacked too.`)
}

const BUSY_SECONDS = 2

/** 429: the sender keeps its events and comes back, each after a wait of its own. */
export function busy(): Response {
  return refusal(429, 'More is under way than the ledger takes.', { 'retry-after': String(BUSY_SECONDS) })
}
