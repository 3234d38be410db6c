// The body of a request: bounded before it is read, bounded again while it is unpacked.

import { gunzip, gunzipSync } from 'node:zlib'
import { refusal } from './answer.ts'

const SYNC_UP_TO_BYTES = 64 * 1024

/** The JSON of a body, or the answer to one that cannot be taken. */
export async function readJson(request: Request, maxBytes: number): Promise<{ value: unknown } | Response> {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() || 'identity'
  if (encoding !== 'gzip' && encoding !== 'identity')
    return refusal(415, 'Bodies come plain or with `Content-Encoding: gzip`.', { 'accept-encoding': 'gzip, identity' })
  const received = await receive(request, maxBytes)
  if (received === undefined) return tooLarge(maxBytes)
  const bytes = encoding === 'gzip' ? await unpack(received, maxBytes) : received
  if (bytes instanceof Response) return bytes
  try {
    return { value: JSON.parse(bytes.toString('utf8')) }
  } catch {
    // The error would quote the body.
    return refusal(400, 'The body is not JSON.')
  }
}

async function receive(request: Request, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** `maxOutputLength` stops a small body that unpacks to gigabytes. */
async function unpack(packed: Buffer, maxBytes: number): Promise<Buffer | Response> {
  const options = { maxOutputLength: maxBytes }
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

/** `Connection: close`: what is left of the body is not read, so the connection cannot carry another request. */
function tooLarge(maxBytes: number): Response {
  return refusal(413, `A body is at most ${maxBytes} bytes, unpacked too.`, { connection: 'close' })
}
