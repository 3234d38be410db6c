// What a spool says of itself when it cannot go on as it should.

import type { OnSpoolFull } from './contract.ts'

export function downMessage(root: string, cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? 'no code'
  return `The spool below ${root} ${WHY[code] ?? `failed (${code})`}: events are kept in memory only, and calls go on`
}

export function fullMessage(root: string, maxBytes: number, onFull: OnSpoolFull): string {
  return `The spool below ${root} is full (${maxBytes} bytes): ${FULL[onFull]}`
}

export function uprootedMessage(root: string, isTaken: boolean): string {
  const what = isTaken
    ? 'Another process took the spool of this one over while it stood still'
    : 'The spool of this process was deleted'
  return `${what}; it goes on in a new one below ${root}`
}

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'cannot grow, since the disk is full',
  EDQUOT: 'cannot grow, since the quota of this user is used up',
  EROFS: 'cannot be written, since the disk is read-only',
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  ENOTDIR: 'cannot be made, since a file is in the way',
}

const FULL: Readonly<Record<OnSpoolFull, string>> = {
  block: 'new calls wait until a sink has taken some of it',
  'drop-oldest': 'the oldest events are given up',
  'drop-new': 'new events are given up',
}
