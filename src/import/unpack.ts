// Files as they come: packed by gzip, in one piece or in several behind each other, or not at all.

/** The packed bytes end in their middle, or are none. */
export class CutOffGzip extends Error {}

/** The bytes of a file, packed by gzip or not: its first two tell. Throws `CutOffGzip`, and what `bytes` throws. */
export async function* unpacked(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let size = 0
  while (size < 2) {
    const next = await source.next()
    if (next.done) break
    head.push(next.value)
    size += next.value.length
  }
  const start = Buffer.concat(head)
  const whole = async function* () {
    yield start
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
  }
  try {
    yield* start[0] === 0x1f && start[1] === 0x8b ? gunzipped(whole()) : whole()
  } finally {
    // A reader that stops in the middle must not leave a file open.
    await source.return?.()
  }
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createGunzip } = process.getBuiltinModule('node:zlib')
  const { Readable } = process.getBuiltinModule('node:stream')
  const from = Readable.from(bytes)
  const gunzip = createGunzip()
  from.on('error', (error) => gunzip.destroy(error))
  from.pipe(gunzip)
  try {
    yield* gunzip as AsyncIterable<Uint8Array>
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (typeof code === 'string' && (code.startsWith('Z_') || code.startsWith('ERR_ZLIB'))) throw new CutOffGzip()
    throw error
  } finally {
    from.destroy()
  }
}
