// What `flush` and `close` are given: one sentence for what cannot be.

import { expected, MeterError } from '../errors.ts'

export interface FlushOptions {
  readonly durable?: boolean | undefined
}

/** Throws MeterError `BAD_INPUT`. */
export function checkFlush(options: FlushOptions | undefined): FlushOptions {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null)
    throw new MeterError('BAD_INPUT', expected('options', 'an object such as { durable: true }', options))
  const { durable } = options
  if (durable !== undefined && typeof durable !== 'boolean')
    throw new MeterError('BAD_INPUT', expected('durable', 'true or false', durable))
  return options
}

/** A timer of Node that is set to more than 32 bits goes off at once. */
const LONGEST_MS = 2 ** 31 - 1

/** The deadline, as far as a timer goes; throws MeterError `BAD_INPUT`. */
export function checkDeadline(ms: number | undefined): number | undefined {
  if (ms === undefined) return undefined
  if (typeof ms === 'number' && ms >= 0) return Math.min(ms, LONGEST_MS)
  throw new MeterError('BAD_INPUT', expected('deadlineMs', 'a number of milliseconds of 0 or more', ms))
}
