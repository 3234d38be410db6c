// Where the limits of an endpoint are asked for.

import { expected, MeterError } from '../errors.ts'

/** An address without its `/v1/ingest`. Throws MeterError `BAD_OPTION` for none. */
export function baseOf(url: unknown): string {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new MeterError('BAD_OPTION', expected('url', 'an http or https address', url))
  return parsed.origin + parsed.pathname.replace(/\/+$/, '').replace(/\/v1\/ingest$/, '')
}
