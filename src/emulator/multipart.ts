// A form with files, as a request's body: its fields by name, files as what they are called and hold.

import type { Json } from './wire.ts'

/** A field that comes more than once, or is named `image[]`, is a list. */
export async function formFields(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<Json> {
  const form = await new Response(body, { headers: { 'content-type': contentType } }).formData()
  const fields: Json = {}
  for (const [key, value] of form) {
    const name = key.replace(/\[\]$/, '')
    const field = typeof value === 'string' ? value : await fileOf(value)
    const before = fields[name]
    if (Array.isArray(before)) before.push(field)
    else if (before !== undefined) fields[name] = [before, field]
    else fields[name] = key === name ? field : [field]
  }
  return fields
}

async function fileOf(file: File): Promise<Json> {
  return { filename: file.name, bytes: file.size, text: await file.text() }
}
