// A refusal in the clothes of the SDK that is refused: an instance of its own APIError and of ours.

import type { MeterError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { createNotes } from './notes.ts'

/** The error base of one SDK copy. */
export type ErrorClass = new (...args: never[]) => Error

/** `stainless`: `APIError(status, error, message, headers)`. `google`: `ApiError({ message, status })`. */
export type ErrorShape = 'stainless' | 'google'

const dressed = new WeakMap<ErrorClass, Map<unknown, ErrorClass>>()

/**
 * The same refusal as a subclass of the SDK copy's error base.
 *
 * Stream helpers of openai and anthropic re-wrap every error that is not an instance of their own copy's base class
 * (`OpenAIError` / `AnthropicError` in AbstractChatCompletionRunner and MessageStream), which would hide ours in `cause`.
 */
export function dressRefusal(refusal: MeterError, base: ErrorClass | undefined, shape: ErrorShape): Error {
  if (!base) return refusal
  try {
    let classes = dressed.get(base)
    if (!classes) dressed.set(base, (classes = new Map()))
    const kind = refusal.constructor
    let Dressed = classes.get(kind)
    if (!Dressed) classes.set(kind, (Dressed = subclass(base, refusal, shape)))
    const error = new (Dressed as unknown as new (refusal: MeterError) => Error)(refusal)
    return error
  } catch {
    // An SDK whose error base takes other arguments than every version we know: the plain refusal is still a refusal.
    return refusal
  }
}

const clothes = createNotes<(refusal: MeterError) => Error>()

/** What the stream of this exchange is ended with shall be an error of its SDK. */
export function dressEnding(exchange: Exchange, base: ErrorClass | undefined, shape: ErrorShape): void {
  if (exchange.isPaidAsItComes) clothes.set(exchange, (refusal) => dressRefusal(refusal, base, shape))
}

/** The error that a stream is to be ended with in place of its next chunk. */
export function endingOf(exchange: Exchange): Error | undefined {
  const { refusal } = exchange
  return refusal && (clothes.get(exchange)?.(refusal) ?? refusal)
}

function subclass(base: ErrorClass, refusal: MeterError, shape: ErrorShape): ErrorClass {
  const { name } = refusal
  const Base = base as unknown as new (...args: unknown[]) => Error
  const Dressed = class extends Base {
    /** anthropic 1.x names an error after its class's `_errorName`. */
    static readonly _errorName = name

    constructor(plain: MeterError) {
      const status = (plain as { status?: unknown }).status
      if (shape === 'google') super({ message: plain.message, status })
      else super(undefined, undefined, plain.message, new Headers())
      // @google/genai's ApiError resets the prototype of every instance to its own.
      Object.setPrototypeOf(this, new.target.prototype)
      Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true })
      for (const field of Object.getOwnPropertyNames(plain)) {
        if (field === 'stack' || field === 'name') continue
        Object.defineProperty(this, field, Object.getOwnPropertyDescriptor(plain, field)!)
      }
    }
  }
  putBrands(Dressed.prototype, refusal)
  Object.defineProperty(Dressed, 'name', { value: name })
  return Dressed as unknown as ErrorClass
}

/** Makes an error that the SDK has made of a refusal one itself: with its fields, and an instance of its class. */
export function putOn(error: Error, refusal: Error): void {
  putBrands(error, refusal)
  for (const field of Object.getOwnPropertyNames(refusal)) {
    if (field === 'stack') continue
    Object.defineProperty(error, field, Object.getOwnPropertyDescriptor(refusal, field)!)
  }
}

/** The brands that make `instanceof LimitExceededError` and `instanceof MeterError` true live on our prototypes. */
function putBrands(target: object, refusal: Error): void {
  for (let at = Object.getPrototypeOf(refusal); at && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
    for (const brand of Object.getOwnPropertySymbols(at)) {
      if (brand.description?.startsWith('tallygate.')) Object.defineProperty(target, brand, { value: true })
    }
  }
}
