// How callers read what an SDK gives them: to the end, in part, chunk by chunk, byte by byte.

/** @param {AsyncIterable<unknown>} stream */
export async function all(stream) {
  const items = []
  for await (const item of stream) items.push(item)
  return items
}

/** Shows every item as it comes, so that what is taken back later is seen too. */
export async function each(stream, see) {
  for await (const item of stream) see(item)
}

/** @param {AsyncIterable<unknown>} stream @param {number} count */
export async function some(stream, count) {
  const items = []
  for await (const item of stream) {
    items.push(item)
    if (items.length === count) break
  }
  return items
}

/** Byte chunks may be cut anywhere on their way, so only the text they make together can be compared. */
export async function textOf(body) {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of body) text += typeof bytes === 'string' ? bytes : decoder.decode(bytes, { stream: true })
  return text + decoder.decode()
}

export async function textByReader(body) {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
  }
}

/** With the caller's own buffer, which a body from the network takes. */
export async function textByOwnBuffer(body) {
  const reader = body.getReader({ mode: 'byob' })
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(64))
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
  }
}

/** Every event of an SDK's emitter, with what it carries. */
export function listen(emitter, names, see) {
  for (const name of names) emitter.on(name, (...args) => see(args, `on ${name}`))
}

/** Resolves when nothing more runs by itself: what waits for the network is not waited for. */
export async function quiet(turns = 5) {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Memory is collected, and whoever waits for that is told. */
export async function collect() {
  globalThis.gc()
  await quiet()
}
