// Server-sent events as bytes on the wire.

import type { SseEvent } from './wire.ts'

export function encodeEvent({ event, data }: SseEvent, lineEnd: string): string {
  const name = event === undefined ? '' : `event: ${event}${lineEnd}`
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return `${name}data: ${text}${lineEnd}${lineEnd}`
}

/** Comment lines, which every reader skips, of at least so many bytes. */
export function* comments(bytes: number, lineEnd: string): Generator<string> {
  for (let left = bytes; left > 0; left -= 16_384) {
    yield `: ${'x'.repeat(Math.min(left, 16_384))}${lineEnd}${lineEnd}`
  }
}
