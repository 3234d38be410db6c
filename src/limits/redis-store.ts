// Accounts in Redis or Valkey: for processes on many machines. One script, one slot.

import { MeterError } from '../errors.ts'
import { PICO_PER_USD } from '../money.ts'
import type { LimitStore } from './limit-store.ts'
import { SCRIPT } from './redis-script.ts'
import {
  accountOf,
  changesOf,
  leaseOf,
  type StoredFigures,
  type StoredLease,
  type StoredRule,
} from './store-answers.ts'

/** A client of `ioredis`, of a single server or a cluster. */
export interface IoRedisClient {
  evalsha(sha: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>
}

/** A client of `redis`, connected; of a single server or a cluster. */
export interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface RedisStoreOptions {
  readonly client: IoRedisClient | NodeRedisClient
  /** What every key begins with; default `tallygate`. In a cluster all keys are in the slot of this word. */
  readonly prefix?: string
}

/** Lua counts in doubles: 2^53 nano-dollars. */
const MOST_NANO = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * A limit store in Redis 6.2 or later, or Valkey. Limits are up to $9,007,199. It must not evict: set `maxmemory-policy noeviction`.
 *
 * @example
 * import { Redis } from 'ioredis'
 *
 * const client = new Redis('redis://127.0.0.1:6379')
 * const meter = new Meter({ limitStore: redisLimitStore({ client }) })
 */
export function redisLimitStore({ client, prefix = 'tallygate' }: RedisStoreOptions): LimitStore {
  const key = `{${prefix}}`
  let sha: string | undefined

  async function run(op: string, input: unknown): Promise<string> {
    sha ??= process.getBuiltinModule('node:crypto').createHash('sha1').update(SCRIPT).digest('hex')
    const text = JSON.stringify(input, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    try {
      return String(await call('sha', sha, [op, text]))
    } catch (error) {
      if (!String((error as Error | null)?.message).startsWith('NOSCRIPT')) throw error
      return String(await call('text', SCRIPT, [op, text]))
    }
  }

  function call(by: 'sha' | 'text', script: string, values: string[]): Promise<unknown> {
    if ('evalSha' in client) {
      const options = { keys: [key], arguments: values }
      return by === 'sha' ? client.evalSha(script, options) : client.eval(script, options)
    }
    return by === 'sha' ? client.evalsha(script, 1, key, ...values) : client.eval(script, 1, key, ...values)
  }

  /** An empty list of Lua's is an object in JSON. */
  async function listOf<Answer>(op: string, questions: readonly object[]): Promise<(Answer | undefined)[]> {
    if (questions.length === 0) return []
    const answers = JSON.parse(await run(op, questions)) as (Answer | null)[]
    return answers.map((answer) => answer ?? undefined)
  }

  return {
    async setLimit({ scope, per, limitNanoUsd, mode, settings }) {
      if (limitNanoUsd > MOST_NANO)
        throw new MeterError(
          'BAD_INPUT',
          `A limit in Redis is at most $${(MOST_NANO * 1000n) / PICO_PER_USD}: its scripts count exactly no further.`,
        )
      await run('set', { scope, per, limit: String(limitNanoUsd), mode, settings: JSON.stringify(settings) })
    },
    async removeLimit({ scope, per }) {
      await run('remove', { scope, per })
    },
    async changes(since) {
      const [revision, ...rules] = JSON.parse(await run('changes', { since })) as [number, ...StoredRule[]]
      return changesOf(revision, rules)
    },
    async accounts(keys) {
      return (await listOf<StoredFigures>('accounts', keys)).map((figures) => figures && accountOf(figures))
    },
    async lease(steps) {
      return (await listOf<StoredLease>('lease', steps)).map((one) => one && leaseOf(one))
    },
    async doubts() {
      const memory = await run('memory', {})
      const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
      const isBounded = !/^maxmemory:0\s/m.test(memory)
      if (!isBounded || policy === undefined || policy === 'noeviction') return undefined
      return `The Redis of the limits may evict them (maxmemory-policy is ${policy}): set it to noeviction, or limits are lost when its memory is full.`
    },
  }
}
