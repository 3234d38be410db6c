// Methods of other people's objects: replaced, and given back.

import { describe, expect, test } from 'vitest'
import { ownerOf, replaceMethod } from '../../src/patch/undo.ts'

type Say = (this: unknown, word: string) => string

function doubled(original: Say, isActive: () => boolean): Say {
  return function (this: unknown, word) {
    const said = original.call(this, word)
    return isActive() ? `${said}${said}` : said
  }
}

class Speaker {
  readonly mark = '!'
  say(word: string): string {
    return `${word}${this.mark}`
  }
}
class Loud extends Speaker {}

const descriptor = (owner: object, name = 'say') => Object.getOwnPropertyDescriptor(owner, name)

describe('replacing', () => {
  test('keeps `this`, name, length and that the method is not listed', () => {
    class Own extends Speaker {
      override say(word: string): string {
        return super.say(word)
      }
    }
    const undo = replaceMethod(Own.prototype, 'say', doubled)
    const speaker = new Own()
    expect(speaker.say('a')).toBe('a!a!')
    expect([speaker.say.name, speaker.say.length]).toEqual(['say', 1])
    expect(Object.keys(Own.prototype)).toEqual([])
    undo()
    expect(speaker.say('a')).toBe('a!')
  })

  test.each([
    ['a prototype', () => ({ owner: class extends Speaker {}.prototype as object, own: false })],
    ['an object that lists it', () => ({ owner: { say: (word: string) => word } as object, own: true })],
    [
      'an object that protects it from writing',
      () => ({
        owner: Object.defineProperty({}, 'say', { value: (word: string) => word, configurable: true }) as object,
        own: true,
      }),
    ],
  ])('the undo restores the property of %s to the letter', (_, make) => {
    const { owner, own } = make()
    const before = descriptor(owner)
    const keys = Reflect.ownKeys(owner)
    const undo = replaceMethod(owner, 'say', doubled)
    expect(descriptor(owner)).not.toEqual(before)
    undo()
    expect(descriptor(owner)).toEqual(before)
    expect(Reflect.ownKeys(owner)).toEqual(keys)
    expect(Object.hasOwn(owner, 'say')).toBe(own)
  })

  test('throws where the property cannot be replaced, and changes nothing', () => {
    const owner = Object.freeze({ say: (word: string) => word })
    expect(() => replaceMethod(owner, 'say', doubled)).toThrow(TypeError)
    expect(owner.say('a')).toBe('a')
  })
})

describe("a stranger's wrap over ours", () => {
  function wrapped() {
    class Own extends Speaker {}
    const undo = replaceMethod(Own.prototype, 'say', doubled)
    const ours = Own.prototype.say
    Own.prototype.say = function (word) {
      return `<${ours.call(this, word)}>`
    }
    return { speaker: new Own(), undo, Own }
  }

  test('works with ours in it', () => {
    expect(wrapped().speaker.say('a')).toBe('<a!a!>')
  })

  test('stays when we undo, and ours passes everything through', () => {
    const { speaker, undo } = wrapped()
    undo()
    expect(speaker.say('a')).toBe('<a!>')
    undo()
    expect(speaker.say('a')).toBe('<a!>')
  })

  test('is not undone by a second patch of ours on top of it', () => {
    const { speaker, undo, Own } = wrapped()
    undo()
    const again = replaceMethod(Own.prototype, 'say', doubled)
    expect(speaker.say('a')).toBe('<a!><a!>')
    again()
    expect(speaker.say('a')).toBe('<a!>')
  })
})

test('two of ours are undone in either order', () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    class Own extends Speaker {}
    const undos = [replaceMethod(Own.prototype, 'say', doubled), replaceMethod(Own.prototype, 'say', doubled)]
    expect(new Own().say('a')).toBe('a!a!a!a!')
    for (const index of order) undos[index]!()
    expect(new Own().say('a')).toBe('a!')
  }
})

describe('the owner of a method', () => {
  test('is the object of the chain that has it itself', () => {
    expect(ownerOf(Loud.prototype, 'say')).toBe(Speaker.prototype)
    expect(ownerOf(Speaker.prototype, 'say')).toBe(Speaker.prototype)
  })

  test.each(['nothing', 'toString', 'mark'])('is not there for `%s`', (name) => {
    expect(ownerOf(Loud.prototype, name)).toBeUndefined()
  })
})
