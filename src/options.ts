// The options of a Meter: their defaults, their environment variables, and what is wrong with them, in one table.

import { expected, MeterError } from './errors.ts'
import type { LLMEvent } from './event.ts'
import type { LimitStore } from './limits/limit-store.ts'
import { badHost, badMethod, badName, badProvider, badSink, type ElementFault } from './options/elements.ts'
import type { PatchTarget } from './options/patch-names.ts'
import {
  isFunction,
  isHttpUrl,
  isLabel,
  isMap,
  isText,
  isWhole,
  readBoolean,
  readHosts,
  readList,
  readNumber,
  same,
} from './options/values.ts'
import type { Problem } from './problems.ts'
import type { OwnProvider } from './providers/own.ts'
import type { Sink } from './sinks/sink.ts'

/** What `new Meter()` takes. Everything may be left out. */
export interface MeterOptions {
  /** Your ingest endpoint. Left out, events go into the embedded ledger in `dir`. Environment: `TALLYGATE_URL`. */
  readonly url?: string | undefined
  /** Sent as `Authorization: Bearer` to `url`. Environment: `TALLYGATE_API_KEY`. */
  readonly apiKey?: string | undefined
  /** Where limits are asked and set; default: `url` without its `/v1/ingest`. Environment: `TALLYGATE_LIMITS_URL`. */
  readonly limitsUrl?: string | undefined
  /** Folder of the embedded ledger; default `./.tallygate`. Environment: `TALLYGATE_DIR`. */
  readonly dir?: string | undefined
  /** Where events go instead of `url` or the embedded ledger: any mix. */
  readonly sinks?: readonly Sink[] | undefined
  /** Where accounts live instead of this process's memory. */
  readonly limitStore?: LimitStore | undefined
  /** Compress what is sent to `url`; default true. Environment: `TALLYGATE_GZIP`. */
  readonly gzip?: boolean | undefined
  /** The longest that an event waits for its batch, in milliseconds; default 5000. Environment: `TALLYGATE_FLUSH_INTERVAL_MS`. */
  readonly flushIntervalMs?: number | undefined
  /** Events in a batch; default 50. Environment: `TALLYGATE_MAX_BATCH_SIZE`. */
  readonly maxBatchSize?: number | undefined
  /** Events waiting for each sink; above it the oldest is dropped, counted and reported. Default 1000. Environment: `TALLYGATE_MAX_QUEUE_SIZE`. */
  readonly maxQueueSize?: number | undefined
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
  readonly limitCheckCacheTtlMs: number
  readonly captureFim: boolean
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  readonly sampleRate: number
  readonly debug: boolean
  readonly raiseOnError: boolean
}

interface OptionRule {
  readonly expects: string
  readonly accepts: (value: unknown) => boolean
  /** Only what fits into a string can come from the environment. */
  readonly env?: { readonly name: string; readonly read: (text: string) => unknown }
  readonly default?: unknown
  /** The first element that is wrong, of a list or a map that is one. */
  readonly element?: (value: never, resolved: MeterOptions) => ElementFault | undefined
  /** Never quoted, not even when it is wrong. */
  readonly isSecret?: boolean
}

const whole = (name: string, least: number, fallback: number): OptionRule => ({
  expects: `a whole number from ${least} to ${2 ** 31 - 1}`,
  accepts: isWhole(least),
  env: { name, read: readNumber },
  default: fallback,
})
const yesOrNo = (name: string, fallback: boolean): OptionRule => ({
  expects: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  env: { name, read: readBoolean },
  default: fallback,
})
const httpUrl = (name: string): OptionRule => ({
  expects: 'an http or https URL',
  accepts: isHttpUrl,
  env: { name, read: same },
})
const callback: OptionRule = { expects: 'a function', accepts: isFunction }
const label = (name: string): OptionRule => ({
  expects: 'a string of 1 to 256 characters',
  accepts: isLabel,
  env: { name, read: same },
})

export const OPTION_RULES: { readonly [Name in keyof Required<MeterOptions>]: OptionRule } = {
  url: httpUrl('TALLYGATE_URL'),
  apiKey: {
    // A line break at the end of a secret file makes a header that no client sends.
    expects: 'a string without spaces or line breaks',
    accepts: (value) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value),
    env: { name: 'TALLYGATE_API_KEY', read: same },
    isSecret: true,
  },
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
  gzip: yesOrNo('TALLYGATE_GZIP', true),
  flushIntervalMs: whole('TALLYGATE_FLUSH_INTERVAL_MS', 1, 5000),
  maxBatchSize: whole('TALLYGATE_MAX_BATCH_SIZE', 1, 50),
  maxQueueSize: whole('TALLYGATE_MAX_QUEUE_SIZE', 1, 1000),
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
  appName: label('TALLYGATE_APP_NAME'),
  environment: label('TALLYGATE_ENVIRONMENT'),
  onEvent: callback,
  onFlushError: callback,
  onProblem: callback,
  onMissingTenant: {
    expects: "'record', 'warn' or 'throw'",
    accepts: (value) => value === 'record' || value === 'warn' || value === 'throw',
    env: { name: 'TALLYGATE_ON_MISSING_TENANT', read: same },
    default: 'warn',
  },
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
    const fault = rule.element?.(value as never, resolved as MeterOptions)
    if (fault) throw new MeterError('BAD_OPTION', expected(said + fault.at, fault.expects, fault.got))
    resolved[name] = value
  }
  return Object.freeze(resolved) as unknown as ResolvedOptions
}
