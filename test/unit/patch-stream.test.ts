// One pass over a stream that an SDK parses: the chunks go through the exchange, and all else is the generator's.

import { describe, expect, test } from 'vitest'
import { HIDDEN } from '../../src/patch/exchange.ts'
import { watchIterator } from '../../src/patch/stream.ts'
import { type NotedExchange, notedExchange } from '../support/exchange.ts'

function watch(
  generator: AsyncGenerator<unknown>,
  exchange: NotedExchange,
  { isAborted = false, mayClaim = true } = {},
): AsyncGenerator<unknown> {
  let isFirst = true
  const handed = {
    exchange,
    claim: () => mayClaim,
    duringFirstStep<T>(step: () => T): T {
      if (isFirst) exchange.notes.push('first step')
      isFirst = false
      return step()
    },
  }
  return watchIterator(generator, handed, () => isAborted)
}

async function* numbers(upTo: number): AsyncGenerator<unknown> {
  for (let n = 1; n <= upTo; n++) yield { n }
}

const odd = (data: unknown) => ((data as { n: number }).n % 2 === 0 ? HIDDEN : data)

async function all(iterator: AsyncGenerator<unknown>): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const item of iterator) items.push(item)
  return items
}

describe('a pass to the end', () => {
  test('gives what the generator gives, and ends complete', async () => {
    const exchange = notedExchange()
    expect(await all(watch(numbers(2), exchange))).toEqual([{ n: 1 }, { n: 2 }])
    expect(exchange.notes).toEqual(['first step', 'chunk {"n":1}', 'chunk {"n":2}', 'complete'])
  })

  test('leaves out what is hidden, the last included', async () => {
    const exchange = notedExchange(odd)
    expect(await all(watch(numbers(4), exchange))).toEqual([{ n: 1 }, { n: 3 }])
    expect(exchange.notes.at(-1)).toBe('complete')
  })

  test('gives chunks in place of others', async () => {
    expect(
      await all(
        watch(
          numbers(2),
          notedExchange((data) => ({ is: data })),
        ),
      ),
    ).toEqual([{ is: { n: 1 } }, { is: { n: 2 } }])
  })

  test('that ends after an abort is aborted', async () => {
    const exchange = notedExchange()
    await all(watch(numbers(1), exchange, { isAborted: true }))
    expect(exchange.notes.at(-1)).toBe('aborted')
  })

  test.each([
    ['nothing hidden', undefined, [1, 2, 3, 4, 5]],
    ['some hidden', odd, [1, 3, 5, undefined, undefined]],
  ])('answers steps that are asked for at once in their order (%s)', async (_, hides, expected) => {
    const iterator = watch(numbers(5), notedExchange(hides))
    const steps = await Promise.all(Array.from({ length: 5 }, () => iterator.next()))
    expect(steps.map(({ value }) => (value as { n: number } | undefined)?.n)).toEqual(expected)
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
  })
})

describe('a pass that breaks', () => {
  class Broken extends Error {
    override name = 'Broken'
  }
  async function* breaking(error: Error): AsyncGenerator<unknown> {
    yield { n: 1 }
    throw error
  }

  test.each([
    ['nothing hidden', undefined],
    ['some hidden', odd],
  ])('throws the same error, once (%s)', async (_, hides) => {
    const error = new Broken('x')
    const exchange = notedExchange(hides)
    const iterator = watch(breaking(error), exchange, { isAborted: true })
    await iterator.next()
    await expect(iterator.next()).rejects.toBe(error)
    expect(exchange.notes.at(-1)).toBe('failed Broken')
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
  })

  test('by an AbortError is aborted', async () => {
    const exchange = notedExchange()
    const iterator = watch(breaking(new DOMException('x', 'AbortError')), exchange)
    await expect(all(iterator)).rejects.toThrow('x')
    expect(exchange.notes.at(-1)).toBe('aborted AbortError')
  })
})

describe('a caller that leaves', () => {
  test('by a break stops the generator', async () => {
    const exchange = notedExchange()
    let isClosed = false
    const generator = (async function* () {
      try {
        yield* numbers(9)
      } finally {
        isClosed = true
      }
    })()
    for await (const _ of watch(generator, exchange)) break
    expect(isClosed).toBe(true)
    expect(exchange.notes.at(-1)).toBe('stopped')
  })

  test('by `throw` gets its own error back', async () => {
    const exchange = notedExchange()
    const iterator = watch(numbers(9), exchange)
    await iterator.next()
    await expect(iterator.throw(new RangeError('enough'))).rejects.toThrow(RangeError)
    expect(exchange.notes.at(-1)).toBe('stopped')
  })

  test('before the first step leaves no trace, so that another pass can be made', async () => {
    const exchange = notedExchange()
    const iterator = watch(numbers(2), exchange)
    expect(await iterator.return('x')).toEqual({ value: 'x', done: true })
    expect(await iterator.next()).toEqual({ value: undefined, done: true })
    expect(exchange.notes).toEqual([])
  })
})

test('a second pass is the SDK’s own affair', async () => {
  const exchange = notedExchange()
  expect(await all(watch(numbers(2), exchange, { mayClaim: false }))).toEqual([{ n: 1 }, { n: 2 }])
  expect(exchange.notes).toEqual([])
})

test('to whoever looks it is an async generator', () => {
  const real = numbers(1)
  const watched = watch(numbers(1), notedExchange())
  expect(Object.prototype.toString.call(watched)).toBe(Object.prototype.toString.call(real))
  expect(Reflect.ownKeys(watched)).toEqual(Reflect.ownKeys(real))
  expect(watched[Symbol.asyncIterator]()).toBe(watched)
  for (const name of ['next', 'return', 'throw'] as const)
    expect([watched[name].name, watched[name].length]).toEqual([real[name].name, real[name].length])
})
