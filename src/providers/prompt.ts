// The text of a request, for estimates and ceilings: walked, never copied or kept.

/** Not text that is counted as text: media by reference or in base64, and identifiers. */
const NOT_TEXT = new Set([
  'file_data',
  'image_url',
  'fileUri',
  'file_uri',
  'id',
  'type',
  'role',
  'model',
  'signature',
  'encrypted_content',
])
/** Media beside one of these, and text of the application's own where they are the arguments or the result of a tool. */
const MEDIA = new Set(['url', 'data'])
const BESIDE_MEDIA = ['media_type', 'mimeType', 'mime_type', 'format', 'detail']
const MAX_DEPTH = 40

/** Every string in `values`, however deep; JSON schemas of tools included, since they are input too. */
export function texts(...values: unknown[]): string[] {
  // One list: nested generators take five times as long, on the path of every call under a limit.
  const found: string[] = []
  for (const value of values) gather(value, 0, found)
  return found
}

function gather(value: unknown, depth: number, found: string[]): void {
  if (typeof value === 'string') {
    if (value !== '') found.push(value)
    return
  }
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return
  if (Array.isArray(value)) {
    // A prompt of token ids: a word a token, in one piece.
    if (typeof value[0] === 'number') found.push(' x'.repeat(value.length))
    for (const item of value) gather(item, depth + 1, found)
    return
  }
  for (const key in value) {
    if (NOT_TEXT.has(key) || (MEDIA.has(key) && isMedia(value))) continue
    // The names of a schema's properties are sent, and counted, like its values.
    if (depth > 2) found.push(key)
    gather((value as Record<string, unknown>)[key], depth + 1, found)
  }
}

/** `{ type: 'base64', media_type, data }`, `{ type: 'url', url }`, `{ mimeType, data }`, `{ data, format }`. */
function isMedia(value: object): boolean {
  return (value as { type?: unknown }).type === 'url' || BESIDE_MEDIA.some((key) => key in value)
}
