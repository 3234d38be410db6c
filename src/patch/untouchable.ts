// Objects of an application that cannot be changed, or not even be looked at.

import { emitterOf } from './sockets.ts'

/** A connection of openai. */
export function isSocket(client: object): boolean {
  try {
    return emitterOf(client) !== undefined
  } catch {
    // Not even to be looked at.
    return false
  }
}

/** Why an object of somebody else's could not be changed, for a person; never the words of a foreign error. */
export function reasonOf(error: unknown, object: unknown): string {
  const prototype = (object as { prototype?: unknown } | null | undefined)?.prototype
  const isFrozen = Object.isFrozen(object) || (typeof prototype === 'object' && Object.isFrozen(prototype))
  return isFrozen ? 'it is frozen.' : `patching failed: ${(error as Error | null | undefined)?.name ?? typeof error}`
}
