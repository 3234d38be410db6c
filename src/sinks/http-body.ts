// The bytes of a batch on the wire, and of whatever else goes the same way.

import { SCHEMA_VERSION, toWire } from '../event.ts'
import type { Batch } from './sink.ts'

// Level 3: 54 us for 50 events and within 6 % of level 6, which takes twice as long.
const LEVEL = 3
/** Below, compressing at once is cheaper than a trip through the thread pool; above, it would hold up the event loop. */
const ASYNC_FROM_BYTES = 64 * 1024

export async function encodeBatch(batch: Batch, gzip: boolean): Promise<Uint8Array> {
  const list = batch.json === undefined ? JSON.stringify(batch.events.map(toWire)) : `[${batch.json.join(',')}]`
  return pack(`{"schema_version":${SCHEMA_VERSION},"batch_id":${JSON.stringify(batch.id)},"events":${list}}`, gzip)
}

export async function pack(text: string, gzip: boolean): Promise<Uint8Array> {
  const bytes = Buffer.from(text)
  if (!gzip) return bytes
  const zlib = await import('node:zlib')
  if (bytes.length < ASYNC_FROM_BYTES) return zlib.gzipSync(bytes, { level: LEVEL })
  return new Promise((resolve, reject) => {
    zlib.gzip(bytes, { level: LEVEL }, (error, packed) => (error ? reject(error) : resolve(packed)))
  })
}
