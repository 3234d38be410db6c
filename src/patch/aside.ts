// SDKs that the application has unpatched while `fetch` is: what goes through them goes past the net too.

import { letPass } from './fetch.ts'
import { ownerOf, replaceMethod } from './undo.ts'

export interface Asides {
  /** From now on nothing of what is sent through here is looked at, by any layer. */
  put(target: object): void
  take(target: object): void
  takeAll(): void
}

export function createAsides(): Asides {
  const undos = new Map<object, readonly (() => void)[]>()

  function take(target: object): void {
    for (const undo of undos.get(target) ?? []) undo()
    undos.delete(target)
  }

  return {
    put(target) {
      if (!undos.has(target))
        undos.set(
          target,
          seamsOf(target).map(([owner, name]) => passing(owner, name)),
        )
    },
    take,
    takeAll() {
      for (const target of [...undos.keys()]) take(target)
    },
  }
}

/** Where the patches of the SDKs stand: see stainless.ts and genai.ts. */
function seamsOf(target: object): readonly (readonly [owner: object, name: string])[] {
  const client = ownerOf(target, 'makeRequest')
  if (client) return [[client, 'makeRequest']]
  return ['request', 'requestStream'].flatMap((name) => {
    const owner = ownerOf(target, name)
    return owner ? [[owner, name] as const] : []
  })
}

type Method = (this: unknown, ...args: unknown[]) => unknown

function passing(owner: object, name: string): () => void {
  return replaceMethod(
    owner,
    name,
    (original: Method, isActive): Method =>
      function (...args) {
        return isActive() ? letPass(() => original.apply(this, args)) : original.apply(this, args)
      },
  )
}
