// The trail of changes: who set or removed which limit, and which keys came and went. One line of JSON each, only ever added.

import type { Caller } from './keys.ts'

export interface Change {
  /** ISO 8601 in UTC. */
  readonly at: string
  /** The key, by a name that does not open anything, or what else did it. */
  readonly by: string
  readonly what: 'limit.set' | 'limit.removed' | 'key.added' | 'key.removed'
  /** The tenant, or the name of the key. */
  readonly of: string
  /** How it was; `null` where there was nothing. */
  readonly before: string | null
  readonly after: string | null
}

export interface ChangeLog {
  note(change: Change): Promise<void>
  /** The newest first. */
  list(): Promise<readonly Change[]>
}

const MOST_BYTES = 512 * 1024
const MOST_SHOWN = 1000

/** In a file, which several processes may add to: a line is written at once. */
export function fileChangeLog(path: string): ChangeLog {
  const fs = process.getBuiltinModule('node:fs/promises')
  return {
    note: (change) => fs.appendFile(path, `${JSON.stringify(change)}\n`, { mode: 0o600 }),
    async list() {
      const lines = (await endOf(path)).split('\n').filter(Boolean)
      return lines.slice(-MOST_SHOWN).reverse().flatMap(changeIn)
    },
  }

  async function endOf(path: string): Promise<string> {
    let file: Awaited<ReturnType<typeof fs.open>>
    try {
      file = await fs.open(path, 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      throw error
    }
    try {
      const { size } = await file.stat()
      const from = Math.max(0, size - MOST_BYTES)
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - from), position: from })
      const text = buffer.toString('utf8', 0, bytesRead)
      // What begins in the middle of a line begins with the next one.
      return from === 0 ? text : text.slice(text.indexOf('\n') + 1)
    } finally {
      await file.close()
    }
  }
}

/** A line that was cut off by a full disk is no change. */
function changeIn(line: string): Change[] {
  try {
    return [JSON.parse(line) as Change]
  } catch {
    return []
  }
}

/** The same trail, in which the keys that came and went since the last start stand before whatever happens from now on. */
export function afterKeys(
  log: ChangeLog,
  known: readonly Caller[],
  at: string,
  untold: (cause: unknown) => void,
): ChangeLog {
  const noted = noteKeys(log, known, at).catch(untold)
  return {
    note: (change) => noted.then(() => log.note(change)),
    list: () => noted.then(() => log.list()),
  }
}

/** Notes the keys that are other than the last time; `known` are those of now. */
async function noteKeys(log: ChangeLog, known: readonly Caller[], at: string): Promise<void> {
  const before = new Map<string, string>()
  for (const { what, of, after } of [...(await log.list())].reverse()) {
    if (what === 'key.added') before.set(of, after ?? '')
    if (what === 'key.removed') before.delete(of)
  }
  const now = new Map(known.map((caller) => [caller.name, rightsOf(caller)]))
  for (const [of, rights] of before)
    if (now.get(of) !== rights)
      await log.note({ at, by: 'start', what: 'key.removed', of, before: rights, after: null })
  for (const [of, rights] of now)
    if (before.get(of) !== rights)
      await log.note({ at, by: 'start', what: 'key.added', of, before: null, after: rights })
}

function rightsOf({ role, project, tenant }: Caller): string {
  const parts = [role, project && `project ${project}`, tenant && `tenant ${tenant}`]
  return parts.filter(Boolean).join(', ')
}
