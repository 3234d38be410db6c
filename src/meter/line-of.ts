// An event on one line, for `debug`.

import type { LLMEvent } from '../event.ts'

export function lineOf(event: LLMEvent): string {
  const words = [event.tenantId ?? '(no tenant)', event.provider, event.model, event.endpoint]
  if (event.usage) words.push(`${event.inputTokens} in, ${event.outputTokens} out`)
  words.push(event.costUsd === undefined ? 'no price' : `$${event.costUsd}`)
  if (event.usageSource !== 'reported') words.push(event.usageSource)
  if (event.error !== undefined) words.push(event.error)
  words.push(`${event.durationMs ?? 0} ms`)
  return words.join(' | ')
}
