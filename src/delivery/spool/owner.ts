// Who a spool belongs to, and whether that process still lives.

import { crc32 } from './record.ts'

/**
 * A process as another one on the same disk can recognise it. `start`, `space` (the pid namespace) and `boot` are
 * Linux's; elsewhere they are 0.
 */
export interface Owner {
  readonly pid: number
  /** 0 for the main thread: each worker thread has a spool of its own. */
  readonly thread: number
  readonly start: string
  readonly space: string
  readonly boot: string
  readonly host: string
}

/** `unsure`: it lives where we cannot look, and only the silence of its heartbeat can tell. */
export type Verdict = 'alive' | 'dead' | 'unsure'

/** The name of no process: a spool that its owner gave up. */
export const FREE = 'free'

let own: Owner | undefined

export function ownIdentity(): Owner {
  if (own === undefined) {
    const { threadId } = process.getBuiltinModule('node:worker_threads')
    const host = crc32(process.getBuiltinModule('node:os').hostname()).toString(16)
    const boot = read('/proc/sys/kernel/random/boot_id')?.replace(/[^0-9a-f]/g, '') || '0'
    const space = boot === '0' ? '0' : (linkOf('/proc/self/ns/pid')?.replace(/\D/g, '') ?? '0')
    own = { pid: process.pid, thread: threadId, start: statOf('self')?.start ?? '0', space, boot, host }
  }
  return own
}

export function ownerWord({ pid, thread, start, space, boot, host }: Owner): string {
  return `${pid}-${thread}-${start}-${space}-${boot}-${host}`
}

export function ownerOf(word: string): Owner | typeof FREE | undefined {
  if (word === FREE) return FREE
  const match = /^(\d+)-(\d+)-(\d+)-(\d+)-([0-9a-f]+)-([0-9a-f]+)$/.exec(word)
  if (!match) return undefined
  const [, pid, thread, start = '', space = '', boot = '', host = ''] = match
  return { pid: Number(pid), thread: Number(thread), start, space, boot, host }
}

/**
 * A pid means something only to those in its own pid namespace, and until the machine starts again. Where both are the
 * same, the pid with its start time decides at once: a pid that was given to another process has another start.
 * Everywhere else (another container, another machine on the same network disk, before a restart) nothing can be asked.
 */
export function judge(owner: Owner, me: Owner = ownIdentity()): Verdict {
  const isLinux = me.boot !== '0'
  const isNear = isLinux
    ? owner.boot === me.boot && owner.space === me.space && me.space !== '0'
    : owner.boot === '0' && owner.host === me.host
  if (!isNear) return 'unsure'
  if (!isRunning(owner.pid)) return 'dead'
  const stat = isLinux ? statOf(owner.pid) : undefined
  if (stat === undefined) return 'unsure'
  // A zombie has ended: nobody has asked for its exit code yet, as in a container whose first process never does.
  if (stat.start !== owner.start || stat.state === 'Z' || stat.state === 'X') return 'dead'
  // A worker thread can end while its process goes on.
  return owner.thread === 0 || (owner.pid === me.pid && owner.thread === me.thread) ? 'alive' : 'unsure'
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Fields 3 and 22 of /proc/<pid>/stat: the state, and the start in clock ticks since the machine's. */
function statOf(pid: number | 'self'): { state: string; start: string } | undefined {
  const text = read(`/proc/${pid}/stat`)
  // The name of the program comes second, in brackets, and can hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields?.[0], fields?.[19]]
  return state === undefined || start === undefined ? undefined : { state, start }
}

function read(path: string): string | undefined {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function linkOf(path: string): string | undefined {
  try {
    return process.getBuiltinModule('node:fs').readlinkSync(path)
  } catch {
    return undefined
  }
}
