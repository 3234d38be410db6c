// Watching a stream that an SDK parses: its generator is wrapped, so that class, identity and helpers stay the SDK's.

import { type Exchange, endOf, HIDDEN } from './exchange.ts'
import { createNotes } from './notes.ts'
import { endingOf } from './refusal.ts'

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

const passes = createNotes<Pass>()

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
    if (!pass.handed.exchange.isHiding) return cutShort(pass) ?? watched(pass)
    const go = () => nextShown(pass)
    pass.last = pass.waiting++ > 0 ? pass.last!.then(go, go) : go()
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
  Object.defineProperties(value, { name: { value: name }, length: { value: 1 } })
  return { value, writable: true, configurable: true }
}

function next({ inner, handed }: Pass): Promise<Result> {
  return handed.duringFirstStep(() => inner.next())
}

/** The generator's own promise, which we read first: whoever waits for it waits no longer than without us. */
function watched(pass: Pass): Promise<Result> {
  const step = next(pass)
  step.then(
    (result) => {
      if (result.done) ended(pass)
      else result.value = pass.handed.exchange.chunk(result.value)
    },
    (error: unknown) => failed(pass, error),
  )
  return step
}

/** Where a limit has no money for more: no further chunk, and the error in its place. */
function cutShort(pass: Pass): Promise<never> | undefined {
  const error = endingOf(pass.handed.exchange)
  if (!error) return undefined
  pass.isWatched = false
  pass.handed.exchange.end('stopped')
  // The SDK aborts its request as for a caller that leaves the loop.
  pass.inner.return(undefined).catch(() => undefined)
  return Promise.reject(error)
}

/** The next result that the caller shall see. */
function nextShown(pass: Pass): Promise<Result> {
  const cut = cutShort(pass)
  if (cut) {
    pass.waiting--
    return cut
  }
  return next(pass).then(
    (result) => {
      const value = result.done ? ended(pass) : pass.handed.exchange.chunk(result.value)
      if (value === HIDDEN) return nextShown(pass)
      pass.waiting--
      if (!result.done) result.value = value
      return result
    },
    (error: unknown) => {
      pass.waiting--
      failed(pass, error)
      throw error
    },
  )
}

function ended({ handed, isAborted }: Pass): void {
  // An abort in mid-stream ends the SDK's iterator quietly, without a throw.
  handed.exchange.end(isAborted() ? 'aborted' : 'complete')
}

function failed({ handed }: Pass, error: unknown): void {
  // The SDK itself aborts what has failed, so that its controller says nothing of the cause.
  handed.exchange.end(endOf(error), error)
}
