// Hands the scripts of the next answers out, in order, each to a request that it is for.

import { checkReply, type Match, type Reply } from './reply.ts'
import type { ReceivedRequest } from './wire.ts'

function isFor(match: Match | undefined, request: ReceivedRequest): boolean {
  if (match === undefined) return true
  if (typeof match === 'function') return match(request)
  if (match.provider !== undefined && match.provider !== request.provider) return false
  if (match.path === undefined) return true
  return typeof match.path === 'string' ? request.path.endsWith(match.path) : match.path.test(request.path)
}

/** Scripts in the order in which they were given; a request takes the first that is for it. */
export function replyQueue() {
  const waiting: { readonly reply: Reply; left: number }[] = []
  return {
    add(replies: readonly Reply[]): void {
      for (const reply of replies) checkReply(reply)
      for (const reply of replies) waiting.push({ reply, left: reply.times ?? 1 })
    },
    take(request: ReceivedRequest): Reply {
      const index = waiting.findIndex(({ reply }) => isFor(reply.match, request))
      const found = waiting[index]
      if (found === undefined) return {}
      found.left -= 1
      if (found.left === 0) waiting.splice(index, 1)
      return found.reply
    },
    clear(): void {
      waiting.length = 0
    },
  }
}
