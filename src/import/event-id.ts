// The id of an imported event: always the same for the same row, so that a log that is read again changes nothing.

/**
 * A UUIDv7 of the row's own time, whose random bits are a hash, so that it lies where the ledger has other events of that
 * time; a UUIDv8 of the hash alone where the row says no time.
 */
export function importedId(key: string, at: number | undefined): string {
  const hex = process.getBuiltinModule('node:crypto').createHash('sha256').update(key).digest('hex')
  const variant = `8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  if (at === undefined) return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}`
  const time = at.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${hex.slice(13, 16)}-${variant}`
}

/** Tells a row without an id by its content; the second of two that are alike is another call. */
export function createKeys(): (row: unknown) => string {
  const seen = new Map<string, number>()
  return (row) => {
    const content = process.getBuiltinModule('node:crypto').createHash('sha256').update(sorted(row)).digest('base64')
    const times = (seen.get(content) ?? 0) + 1
    seen.set(content, times)
    return `${content} ${times}`
  }
}

/** JSON whose names are in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
