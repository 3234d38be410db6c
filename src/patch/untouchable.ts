// Objects of an application that cannot be changed, or not even be looked at.

import { MeterError } from '../errors.ts'
import type { SdkName } from './exchange.ts'
import { SDKS } from './sdks.ts'
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

/** Why a copy of an SDK, found at `path` or handed over, could not be patched. */
export function whyNotPatched(sdk: SdkName, module: unknown, path: string | undefined, error: unknown): string {
  let target: object | undefined
  try {
    target = SDKS[sdk].target(module)
  } catch (unknown) {
    // What was found and not handed over is the SDK, whatever it has become.
    if (path !== undefined && unknown instanceof MeterError && unknown.message.startsWith('Expected'))
      return 'it has no client class that the patch knows.'
  }
  return reasonOf(error, module, target)
}

/**
 * Why something of somebody else's could not be changed, for a person; of errors only the words of our own. `objects`: a
 * client, a class, a module, and what of it was to be changed, as far as it is known.
 */
export function reasonOf(error: unknown, ...objects: unknown[]): string {
  if (error instanceof MeterError) return error.message
  try {
    const fixed = objects.flatMap(partsOf).filter((it) => it !== undefined)
    if (fixed.some(Object.isFrozen)) return 'it is frozen.'
    if (fixed.some(Object.isSealed)) return 'it is sealed.'
    if (objects.some(hasFixedMethod)) return 'one of its methods is fixed, and cannot be replaced.'
  } catch {
    // Not even to be looked at.
  }
  return `patching failed: ${(error as Error | null | undefined)?.name ?? typeof error}`
}

/** An object, and the prototypes of the classes in it or that it is. */
function partsOf(object: unknown): unknown[] {
  if (typeof object === 'function') return [object, object.prototype as unknown]
  if (typeof object !== 'object' || object === null) return []
  const classes = Object.values(object).filter((value) => typeof value === 'function')
  // A module is sealed by its nature, which does not hinder anybody.
  const isModule = (object as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Module'
  return [...(isModule ? [] : [object]), ...classes.map(({ prototype }) => prototype as unknown)]
}

function hasFixedMethod(object: unknown): boolean {
  if (typeof object !== 'object' || object === null) return false
  const own = Object.values(Object.getOwnPropertyDescriptors(object))
  return own.some(({ configurable, value }) => typeof value === 'function' && configurable === false)
}
