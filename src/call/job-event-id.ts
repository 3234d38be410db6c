// The id of the event of a job.

/** The same id in every process that hears of the job, so that a ledger counts it once: a UUIDv8 of its hash. */
export function jobEventId(key: string): string {
  // Not imported: node:crypto takes 5 ms of CPU to load.
  const hex = process.getBuiltinModule('node:crypto').createHash('sha256').update(key).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
