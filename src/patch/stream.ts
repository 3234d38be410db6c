// Watching a stream that an SDK parses: its generator is wrapped, so that class, identity and helpers stay the SDK's.

import { type Exchange, endOf, HIDDEN } from './exchange.ts'

/** A stream's Response, whose body is the SDK's to read. */
export interface HandedOver {
  readonly exchange: Exchange
  /** True for the one pass over the stream that gets anything: the first that asks. */
  claim(): boolean
  /** The synchronous part of a step of the SDK's generator: in its first, the body is the untapped one. */
  duringFirstStep<T>(step: () => T): T
}

type Result = IteratorResult<unknown>
type Generator = AsyncGenerator<unknown>

/** One pass over a stream: every chunk goes through the exchange before it goes on. */
interface Pass {
  readonly inner: Generator
  readonly handed: HandedOver
  readonly isAborted: () => boolean
  /** `undefined` until the first step tells whether this is the pass that is watched. */
  isWatched: boolean | undefined
  /** Steps asked for and not answered: a generator answers them in their order. */
  waiting: number
  last: Promise<Result> | undefined
}

const passes = new WeakMap<object, Pass>()

/** The iterator of one pass: to whoever looks, an async generator like the one it watches. */
export function watchIterator(inner: Generator, handed: HandedOver, isAborted: () => boolean): Generator {
  const iterator = Object.create(watching) as Generator
  passes.set(iterator, { inner, handed, isAborted, isWatched: undefined, waiting: 0, last: undefined })
  return iterator
}

const AsyncGeneratorPrototype = Object.getPrototypeOf(async function* () {}.prototype) as object

const watching = Object.create(AsyncGeneratorPrototype, {
  next: method('next', function (this: object) {
    const pass = passes.get(this)!
    if (pass.isWatched === undefined) pass.isWatched = pass.handed.claim()
    // A second pass over a consumed stream throws in the SDK: it says nothing of the exchange.
    if (!pass.isWatched) return pass.inner.next()
    const go = () => nextOf(pass)
    pass.last = pass.waiting++ > 0 ? pass.last!.then(go, go) : nextOf(pass)
    return pass.last
  }),
  return: method('return', function (this: object, value: unknown) {
    return stopped(passes.get(this)!).inner.return(value)
  }),
  throw: method('throw', function (this: object, error: unknown) {
    return stopped(passes.get(this)!).inner.throw(error)
  }),
})

function stopped(pass: Pass): Pass {
  // Before its first step a generator ends without a trace, and the stream can still be read by another.
  pass.isWatched ??= false
  if (pass.isWatched) pass.handed.exchange.end(pass.isAborted() ? 'aborted' : 'stopped')
  return pass
}

function method(name: string, value: (this: object, argument: unknown) => Promise<Result>): PropertyDescriptor {
  Object.defineProperty(value, 'name', { value: name })
  return { value, writable: true, configurable: true }
}

function nextOf(pass: Pass): Promise<Result> {
  const { inner, handed } = pass
  return handed
    .duringFirstStep(() => inner.next())
    .then(
      (result) => shown(pass, result),
      (error: unknown) => failed(pass, error),
    )
}

function shown(pass: Pass, result: Result): Result | Promise<Result> {
  const { exchange } = pass.handed
  if (result.done) {
    pass.waiting--
    // An abort in mid-stream ends the SDK's iterator quietly, without a throw.
    exchange.end(pass.isAborted() ? 'aborted' : 'complete')
    return result
  }
  const value = exchange.chunk(result.value)
  if (value === HIDDEN) return nextOf(pass)
  pass.waiting--
  if (value !== result.value) result.value = value
  return result
}

function failed(pass: Pass, error: unknown): never {
  pass.waiting--
  // The SDK itself aborts what has failed, so that its controller says nothing of the cause.
  pass.handed.exchange.end(endOf(error), error)
  throw error
}
