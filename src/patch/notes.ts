// Notes on objects of others: what a WeakMap would hold, without the garbage collector's work for one.

export interface Notes<Note> {
  get(target: object): Note | undefined
  set(target: object, note: Note): void
}

/** Its subclasses add their private fields to an object that exists already. */
class Existing {
  constructor(target: object) {
    // biome-ignore lint/correctness/noConstructorReturn: it is the point of this class
    return target
  }
}

/**
 * A private field is seen by nobody else, neither by `Object.keys` nor by a copy of the object. On a young object it costs
 * 13 ns; an entry of a WeakMap 700, most of them at the next collection.
 */
export function createNotes<Note>(): Notes<Note> {
  const ofFrozen = new WeakMap<object, Note>()

  class Noted extends Existing {
    #note: Note

    constructor(target: object, note: Note) {
      super(target)
      this.#note = note
    }

    static get(target: object): Note | undefined {
      return #note in target ? target.#note : ofFrozen.get(target)
    }

    static set(target: object, note: Note): void {
      if (#note in target) target.#note = note
      else if (Object.isExtensible(target)) new Noted(target, note)
      else ofFrozen.set(target, note)
    }
  }
  return Noted
}
