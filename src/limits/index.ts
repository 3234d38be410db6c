// `tallygate/limits`: where limits live, for `new Meter({ limitStore })`.

export type { PostgresClient } from '../postgres/client.ts'
export { type HttpStoreOptions, httpLimitStore } from './http-store.ts'
export type {
  Account,
  AccountKey,
  LeaseAnswer,
  LeaseStep,
  LimitChanges,
  LimitKey,
  LimitRule,
  LimitSettings,
  LimitStore,
} from './limit-store.ts'
export { type MemoryStoreOptions, memoryLimitStore } from './memory-store.ts'
export { type PostgresStoreOptions, postgresLimitStore } from './postgres-store.ts'
export { type IoRedisClient, type NodeRedisClient, type RedisStoreOptions, redisLimitStore } from './redis-store.ts'
export { type SqliteStoreOptions, sqliteLimitStore } from './sqlite-store.ts'
