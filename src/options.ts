// The options of a Meter: their defaults, their environment variables, and what is wrong with them, in one table.

import { expected, MeterError } from './errors.ts'
import type { LLMEvent } from './event.ts'
import type { LimitStore } from './limits/limit-store.ts'
import type { StoreDownPolicy } from './limits/outage.ts'
import type { LimitWarning } from './limits/warnings.ts'
import { badHost, badMethod, badName, badProvider, badSink } from './options/elements.ts'
import { isPercents, isStoreDownPolicy, STORE_DOWN_POLICIES } from './options/limits.ts'
import { badMarkup, type MarkupOption } from './options/markup.ts'
import type { PatchTarget } from './options/patch-names.ts'
import { callback, databaseUrl, httpUrl, label, type OptionRule, oneOf, whole, yesOrNo } from './options/rule.ts'
import { badUnknownPrice, isUnknownPrice, readUnknownPrice, type UnknownPriceOption } from './options/unknown-price.ts'
import { isMap, isText, readHosts, readList, readNumber, same } from './options/values.ts'
import type { OwnPrice } from './pricing/own-price.ts'
import type { PriceFile } from './pricing/price-file.ts'
import type { Problem } from './problems.ts'
import type { OwnProvider } from './providers/own.ts'
import type { Sink } from './sinks/sink.ts'

/** What `new Meter()` takes. Everything may be left out. */
export interface MeterOptions {
  /** Your ingest endpoint. Left out, events go into the embedded ledger in `dir`. Environment: `TALLYGATE_URL`. */
  readonly url?: string | undefined
  /** Sent as `Authorization: Bearer` to `url`. Environment: `TALLYGATE_API_KEY`. */
  readonly apiKey?: string | undefined
  /** A ledger in PostgreSQL that events are written straight into: `postgres://user:password@host:5432/database`. Needs the package pg; where `url` is given too, they go to both. Environment: `TALLYGATE_DATABASE_URL`. */
  readonly databaseUrl?: string | undefined
  /** Where limits are asked and set; default: `url` without its `/v1/ingest`. Environment: `TALLYGATE_LIMITS_URL`. */
  readonly limitsUrl?: string | undefined
  /** Folder of the embedded ledger; default `./.tallygate`. Environment: `TALLYGATE_DIR`. */
  readonly dir?: string | undefined
  /** Where events go instead of `url`, `databaseUrl` or the embedded ledger: any mix. */
  readonly sinks?: readonly Sink[] | undefined
  /** Where accounts live instead of a file beside the embedded ledger: SQLite, PostgreSQL, Redis, from `tallygate/limits`. */
  readonly limitStore?: LimitStore | undefined
  /** What happens to calls while that store does not answer; default `'lease-then-deny'` for hard limits and `'lease-then-allow'` for others. Environment: `TALLYGATE_ON_LIMIT_STORE_DOWN`. */
  readonly onLimitStoreDown?: StoreDownPolicy | undefined
  /** Called when so many per cent of a limit are spent, once for each threshold and window. */
  readonly onLimitWarning?: ((warning: LimitWarning) => void) | undefined
  /** Those thresholds; default `[50, 80, 100]`. */
  readonly limitWarningPercents?: readonly number[] | undefined
  /** Compress what is sent to `url`; default true. Environment: `TALLYGATE_GZIP`. */
  readonly gzip?: boolean | undefined
  /** The longest that an event waits for its batch, in milliseconds; default 5000. Environment: `TALLYGATE_FLUSH_INTERVAL_MS`. */
  readonly flushIntervalMs?: number | undefined
  /** Events in a batch; default 50. Environment: `TALLYGATE_MAX_BATCH_SIZE`. */
  readonly maxBatchSize?: number | undefined
  /** Events waiting in memory for each sink; what is more waits in the spool alone, and where there is none the oldest is dropped, counted and reported. Default 1000. Environment: `TALLYGATE_MAX_QUEUE_SIZE`. */
  readonly maxQueueSize?: number | undefined
  /** Keep each event on disk, in `dir`, until every sink has it; default true. Environment: `TALLYGATE_SPOOL`. */
  readonly spool?: boolean | undefined
  /** What an event survives once its call has returned: `'memory'` what Node calls an exit, `'os'` (the default) any death of the process, `'fsync'` a power failure too, a moment later (`await meter.flush({ durable: true })` waits for it). Environment: `TALLYGATE_DURABILITY`. */
  readonly durability?: 'memory' | 'os' | 'fsync' | undefined
  /** Size of the spool of a process; default 512 MiB. Environment: `TALLYGATE_MAX_SPOOL_BYTES`. */
  readonly maxSpoolBytes?: number | undefined
  /** When the spool is full: give up the oldest events, give up new ones (each counted, reported, and delivered as a number), or hold back new calls. Default `'drop-oldest'`. Environment: `TALLYGATE_ON_SPOOL_FULL`. */
  readonly onSpoolFull?: 'drop-oldest' | 'drop-new' | 'block' | undefined
  /** Send everything when SIGTERM or SIGINT comes, before it ends the process; default false. Environment: `TALLYGATE_HANDLE_SIGNALS`. */
  readonly handleSignals?: boolean | undefined
  /** How long a backend's answer about a tenant's limit is used, in milliseconds; default 5000. Environment: `TALLYGATE_LIMIT_CHECK_CACHE_TTL_MS`. */
  readonly limitCheckCacheTtlMs?: number | undefined
  /** Providers that `defineProvider` has made, looked at before those that tallygate knows. */
  readonly providers?: readonly OwnProvider[] | undefined
  /** What `patchAll()` patches: SDKs, and providers that are called through another's SDK, of which then only these are metered. Default all SDKs that are installed. Environment: `TALLYGATE_PATCHES`, separated by commas. */
  readonly patches?: readonly PatchTarget[] | undefined
  /** What your own hosts are: a gateway, a proxy, an emulator. `{ 'llm.example.com': 'openai' }`. Environment: `TALLYGATE_HOSTS`, as `host=provider,host=provider`. */
  readonly hosts?: Readonly<Record<string, string>> | undefined
  /** Keep what is around the gap of a fill-in-the-middle call, as `fimPrefix` and `fimSuffix` of its event; default false: no text of a prompt is kept. Environment: `TALLYGATE_CAPTURE_FIM`. */
  readonly captureFim?: boolean | undefined
  /** `'output'`: count the tokens of each output in this process, after its call is over, and keep the count, for `tallygate audit`; default `'off'`. No text is kept. Environment: `TALLYGATE_AUDIT`. */
  readonly audit?: 'off' | 'output' | undefined
  /** Keep salted hashes of prompts and outputs, which tell whether two are the same; default false. The salt is `content-salt` in `dir`. Environment: `TALLYGATE_CONTENT_HASH`. */
  readonly contentHash?: boolean | undefined
  /** Prices of your own, negotiated or for models of your own: the path of a JSON file, or what stands in one. They go before those of the book. Environment: `TALLYGATE_PRICES`, the path. */
  readonly prices?: string | PriceFile | readonly OwnPrice[] | undefined
  /** What you sell calls for, beside what they cost: a factor (`'1.2'`), a rule such as `{ multiply: '1.2', perCallUsd: '0.001' }`, or a list of rules for providers, models and tenants of which the first that takes a call decides. Stands on the event as `resaleUsd`. Environment: `TALLYGATE_MARKUP`, a factor. */
  readonly markup?: MarkupOption | undefined
  /** What happens to a call whose model has no known price: it is recorded without a cost and reported, or refused before anything is sent, or holds its tokens at this rate under a limit. Default `'warn'`, and `'deny'` for a tenant that has a hard limit. Environment: `TALLYGATE_UNKNOWN_PRICE`, `warn`, `deny` or the rate. */
  readonly unknownPrice?: UnknownPriceOption | undefined
  /** Stands on every event. Environment: `TALLYGATE_APP_NAME`. */
  readonly appName?: string | undefined
  /** Stands on every event. Environment: `TALLYGATE_ENVIRONMENT`. */
  readonly environment?: string | undefined
  /** Called once with each event as it is captured. May throw: it is reported and the event goes on. */
  readonly onEvent?: ((event: LLMEvent) => void) | undefined
  /** Called with the error of each failed send. */
  readonly onFlushError?: ((error: Error) => void) | undefined
  /** Called with each fault that tallygate swallowed; default `process.emitWarning`. */
  readonly onProblem?: ((problem: Problem) => void) | undefined
  /** What happens to a call that nobody pays for: recorded without a tenant, recorded with a problem, or refused. Default `'warn'`. Environment: `TALLYGATE_ON_MISSING_TENANT`. */
  readonly onMissingTenant?: 'record' | 'warn' | 'throw' | undefined
  /** Share of events that are delivered, 0 to 1; default 1. What is left out stays in limits and `stats()`, and in a roll-up event. Environment: `TALLYGATE_SAMPLE_RATE`. */
  readonly sampleRate?: number | undefined
  /** Print each event, and what was ignored, to standard error; default false. Environment: `TALLYGATE_DEBUG`. */
  readonly debug?: boolean | undefined
  /** Throw our own faults instead of swallowing them, for development; default false. Environment: `TALLYGATE_RAISE_ON_ERROR`. */
  readonly raiseOnError?: boolean | undefined
}

/** The options with every default in place. Frozen. */
export interface ResolvedOptions extends MeterOptions {
  readonly dir: string
  readonly gzip: boolean
  readonly flushIntervalMs: number
  readonly maxBatchSize: number
  readonly maxQueueSize: number
  readonly spool: boolean
  readonly durability: 'memory' | 'os' | 'fsync'
  readonly maxSpoolBytes: number
  readonly onSpoolFull: 'drop-oldest' | 'drop-new' | 'block'
  readonly handleSignals: boolean
  readonly limitCheckCacheTtlMs: number
  readonly captureFim: boolean
  readonly audit: 'off' | 'output'
  readonly contentHash: boolean
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  readonly sampleRate: number
  readonly debug: boolean
  readonly raiseOnError: boolean
}

export const OPTION_RULES: { readonly [Name in keyof Required<MeterOptions>]: OptionRule } = {
  url: httpUrl('TALLYGATE_URL'),
  apiKey: {
    // A line break at the end of a secret file makes a header that no client sends.
    expects: 'a string without spaces or line breaks',
    accepts: (value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value),
    env: { name: 'TALLYGATE_API_KEY', read: same },
    isSecret: true,
  },
  databaseUrl: databaseUrl('TALLYGATE_DATABASE_URL'),
  limitsUrl: httpUrl('TALLYGATE_LIMITS_URL'),
  dir: {
    expects: 'the path of a folder',
    accepts: isText,
    env: { name: 'TALLYGATE_DIR', read: same },
    default: '.tallygate',
  },
  sinks: {
    expects: 'a list of at least one sink',
    accepts: (value) => Array.isArray(value) && value.length > 0,
    element: badSink,
  },
  limitStore: {
    expects: 'a limit store',
    accepts: isMap,
    element: badMethod,
  },
  onLimitStoreDown: {
    expects: `${STORE_DOWN_POLICIES.map((name) => `'${name}'`).join(', ')} or { overdraftUsd }`,
    accepts: isStoreDownPolicy,
    env: { name: 'TALLYGATE_ON_LIMIT_STORE_DOWN', read: same },
  },
  onLimitWarning: callback,
  limitWarningPercents: {
    expects: 'a list of whole numbers from 1 to 1000',
    accepts: isPercents,
  },
  gzip: yesOrNo('TALLYGATE_GZIP', true),
  flushIntervalMs: whole('TALLYGATE_FLUSH_INTERVAL_MS', 1, 5000),
  maxBatchSize: whole('TALLYGATE_MAX_BATCH_SIZE', 1, 50),
  maxQueueSize: whole('TALLYGATE_MAX_QUEUE_SIZE', 1, 1000),
  spool: yesOrNo('TALLYGATE_SPOOL', true),
  durability: oneOf('TALLYGATE_DURABILITY', 'os', ['memory', 'os', 'fsync']),
  maxSpoolBytes: {
    expects: 'a whole number of bytes from 65536 on',
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 65_536,
    env: { name: 'TALLYGATE_MAX_SPOOL_BYTES', read: readNumber },
    default: 512 * 1024 * 1024,
  },
  onSpoolFull: oneOf('TALLYGATE_ON_SPOOL_FULL', 'drop-oldest', ['drop-oldest', 'drop-new', 'block']),
  handleSignals: yesOrNo('TALLYGATE_HANDLE_SIGNALS', false),
  limitCheckCacheTtlMs: whole('TALLYGATE_LIMIT_CHECK_CACHE_TTL_MS', 0, 5000),
  // Before `patches`, which may name them.
  providers: {
    expects: 'a list of providers',
    accepts: Array.isArray,
    element: badProvider,
  },
  patches: {
    expects: 'a list of SDKs and providers',
    accepts: Array.isArray,
    element: badName,
    env: { name: 'TALLYGATE_PATCHES', read: readList },
  },
  hosts: {
    expects: 'an object from host to provider',
    accepts: isMap,
    element: badHost,
    env: { name: 'TALLYGATE_HOSTS', read: readHosts },
  },
  captureFim: yesOrNo('TALLYGATE_CAPTURE_FIM', false),
  audit: oneOf('TALLYGATE_AUDIT', 'off', ['off', 'output']),
  contentHash: yesOrNo('TALLYGATE_CONTENT_HASH', false),
  // What is wrong in it is said when it is read, with its line.
  prices: {
    expects: 'the path of a price file, or an object such as `{ prices: [] }`',
    accepts: (value) => isText(value) || (typeof value === 'object' && value !== null),
    env: { name: 'TALLYGATE_PRICES', read: same },
  },
  markup: {
    expects: "a factor such as '1.2', an object such as `{ multiply: '1.2' }`, or a list of them",
    accepts: (value) => isText(value) || typeof value === 'number' || (typeof value === 'object' && value !== null),
    element: badMarkup,
    env: { name: 'TALLYGATE_MARKUP', read: same },
  },
  unknownPrice: {
    expects: "'warn', 'deny' or an object such as `{ ceilingUsdPerMTok: 15 }`",
    accepts: isUnknownPrice,
    element: badUnknownPrice,
    env: { name: 'TALLYGATE_UNKNOWN_PRICE', read: readUnknownPrice },
  },
  appName: label('TALLYGATE_APP_NAME'),
  environment: label('TALLYGATE_ENVIRONMENT'),
  onEvent: callback,
  onFlushError: callback,
  onProblem: callback,
  onMissingTenant: oneOf('TALLYGATE_ON_MISSING_TENANT', 'warn', ['record', 'warn', 'throw']),
  sampleRate: {
    expects: 'a number from 0 to 1',
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= 1,
    env: { name: 'TALLYGATE_SAMPLE_RATE', read: readNumber },
    default: 1,
  },
  debug: yesOrNo('TALLYGATE_DEBUG', false),
  raiseOnError: yesOrNo('TALLYGATE_RAISE_ON_ERROR', false),
}

type OptionName = keyof MeterOptions

/**
 * Argument, then environment, then default. Throws MeterError `BAD_OPTION` with one sentence that says which option,
 * what was expected and what came. Plain code: a schema library costs 50 ms to import, and a constructor cannot wait.
 */
export function resolveOptions(options: MeterOptions = {}, env: NodeJS.ProcessEnv = process.env): ResolvedOptions {
  if (typeof options !== 'object' || options === null)
    throw new MeterError('BAD_OPTION', expected('options', 'an object', options))
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTION_RULES, name))
      throw new MeterError(
        'BAD_OPTION',
        `There is no option \`${name}\`; the options are ${Object.keys(OPTION_RULES).join(', ')}.`,
      )
  }
  const resolved: Record<string, unknown> = {}
  for (const name of Object.keys(OPTION_RULES) as OptionName[]) {
    const rule = OPTION_RULES[name]
    const given = options[name]
    const text = given === undefined && rule.env ? env[rule.env.name] : undefined
    const value = given ?? (text === undefined || text === '' ? rule.default : rule.env!.read(text))
    if (value === undefined) continue
    const said = given === undefined && text ? rule.env!.name : name
    if (!rule.accepts(value)) {
      const got = given ?? text ?? value
      throw new MeterError(
        'BAD_OPTION',
        rule.isSecret ? `Expected \`${said}\` to be ${rule.expects}.` : expected(said, rule.expects, got),
      )
    }
    const fault = rule.element?.(value as never, resolved as never)
    if (fault) throw new MeterError('BAD_OPTION', expected(said + fault.at, fault.expects, fault.got))
    resolved[name] = value
  }
  return Object.freeze(resolved) as unknown as ResolvedOptions
}
