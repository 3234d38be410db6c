// What a request sets, as numbers and switches for an event's metadata.

import type { TagValue } from '../event.ts'
import { codeOf } from './counts.ts'
import type { Json } from './provider.ts'

/** Numbers, booleans and the short words of known switches: never a text of the caller's. */
export function switches(
  body: Json,
  names: ReadonlySet<string>,
  lists: readonly string[],
): Record<string, TagValue> | undefined {
  let found: Record<string, TagValue> | undefined
  for (const name in body) {
    if (!names.has(name)) continue
    const value = body[name]
    if (Number.isFinite(value) || typeof value === 'boolean' || codeOf(value) !== undefined)
      (found ??= {})[name] = value as TagValue
  }
  for (const name of lists) {
    const value = body[name]
    if (Array.isArray(value)) (found ??= {})[countName(name)] = value.length
  }
  return found
}

const countNames = new Map<string, string>()

/** Remembered: a name that is put together is looked up among all the names of the process before it can be a key. */
function countName(list: string): string {
  let name = countNames.get(list)
  if (name === undefined) countNames.set(list, (name = `${list}_count`))
  return name
}
