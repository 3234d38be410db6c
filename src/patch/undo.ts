// Replacing a method of somebody else's object, and getting out again without hurting whoever came after us.

// biome-ignore lint/suspicious/noExplicitAny: a method of an SDK, whose types we do not import
type Method = (this: any, ...args: any[]) => unknown

const ORIGINAL = Symbol.for('tallygate.original')

/**
 * Replaces `owner[name]` by what `make` builds around the original, and returns the undo.
 *
 * The undo restores the descriptor only while the property still holds our method. When a stranger has wrapped it
 * since, restoring would remove the stranger's wrap (as shimmer's and interceptors' undo do): then our wrapper
 * stays in the chain and, with `isActive()` false, passes everything through.
 */
export function replaceMethod<F extends Method>(
  owner: object,
  name: PropertyKey,
  make: (original: F, isActive: () => boolean) => F,
): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name)
  const original = (owner as Record<PropertyKey, unknown>)[name] as F
  let active = true
  const replacement = make(original, () => active)
  Object.defineProperty(replacement, ORIGINAL, { value: original })
  Object.defineProperty(replacement, 'name', { value: original.name || String(name), configurable: true })
  Object.defineProperty(replacement, 'length', { value: original.length, configurable: true })
  Object.defineProperty(owner, name, {
    value: replacement,
    writable: true,
    configurable: true,
    enumerable: descriptor?.enumerable ?? false,
  })
  return () => {
    active = false
    if (Object.getOwnPropertyDescriptor(owner, name)?.value !== replacement) return
    if (descriptor) Object.defineProperty(owner, name, descriptor)
    else delete (owner as Record<PropertyKey, unknown>)[name]
  }
}

/** The object on the prototype chain of `prototype` that itself has the method `name`. */
export function ownerOf(prototype: object, name: string): object | undefined {
  for (let at: object | null = prototype; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (typeof Object.getOwnPropertyDescriptor(at, name)?.value === 'function') return at
  }
  return undefined
}
