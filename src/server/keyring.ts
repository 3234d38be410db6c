// Which API keys open the door, compared so that the time it takes tells nothing.

import { createHash, timingSafeEqual } from 'node:crypto'
import { MeterError } from '../errors.ts'

const BEARER = /^Bearer +(\S+)$/i

/** The test of an `Authorization` header. Digests have one length, as the comparison wants; every key is always looked at. */
export function createKeyring(keys: readonly string[]): (authorization: string | null) => boolean {
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => typeof key === 'string' && /^\S+$/.test(key)))
    throw new MeterError('BAD_OPTION', 'Expected `apiKeys` to be one or more strings without spaces.')
  const digests = keys.map(digest)
  return (authorization) => {
    const key = BEARER.exec(authorization ?? '')?.[1]
    if (key === undefined) return false
    const offered = digest(key)
    return digests.reduce((isKnown, known) => timingSafeEqual(known, offered) || isKnown, false)
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
