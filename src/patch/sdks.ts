// The SDKs that have a waist, and how to recognise what an application hands over.

import { expected, MeterError } from '../errors.ts'
import type { Observer, SdkName } from './exchange.ts'
import { type GenAiCopy, patchGenAi } from './genai.ts'
import { locate } from './locate.ts'
import type { ErrorClass } from './refusal.ts'
import { patchStainless, patchStainlessClient, type StainlessCopy } from './stainless.ts'

type Namespace = Record<string, unknown>
type Class = { new (...args: never[]): object; readonly prototype: object } & Record<string, unknown>

/** One SDK: where its waist is, found in a namespace, a class, a CommonJS wrapper or a client. */
interface Sdk {
  /** The object that is patched, for telling whether it is patched already. */
  target(module: unknown): object
  patch(module: unknown, observer: () => Observer | undefined): () => void
  patchClient(client: object, observer: () => Observer | undefined): () => void
}

export const SDK_NAMES = ['openai', 'anthropic', 'google', 'groq'] as const satisfies SdkName[]

export const SDKS: Readonly<Record<SdkName, Sdk>> = {
  openai: stainless('openai', ['OpenAI']),
  anthropic: stainless('anthropic', ['Anthropic', 'BaseAnthropic']),
  groq: stainless('groq', ['Groq']),
  google: {
    target: (module) => genAiCopy(module).apiClient,
    patch: (module, observer) => patchGenAi(genAiCopy(module), observer),
    patchClient(client, observer) {
      const { apiClient, models, live } = client as { apiClient?: object; models?: object; live?: object }
      if (!apiClient) throw new MeterError('BAD_INPUT', expected('client', 'a client of @google/genai', client))
      const known = new Set(Reflect.ownKeys(client))
      const interactions = interactionsOf(client)
      const made = Reflect.ownKeys(client).filter((key) => !known.has(key))
      const ApiError = apiErrorOf(client.constructor)
      const undo = patchGenAi({ apiClient, models, live, interactions, ApiError }, observer, 'client')
      return () => {
        undo()
        // The client keeps what it makes when first asked for, and it was we who asked.
        for (const key of made) Reflect.deleteProperty(client, key)
      }
    },
  },
}

function stainless(name: SdkName, classNames: readonly string[]): Sdk {
  const copyOf = (module: unknown): StainlessCopy => {
    const Client = findClass(module, classNames, 'makeRequest')
    if (!Client)
      throw new MeterError('BAD_INPUT', expected('modules', `the client class of ${name}, or its module`, module))
    return { Client, APIError: errorClass(Client['APIError'] ?? (module as Namespace)['APIError']) }
  }
  return {
    target: (module) => copyOf(module).Client.prototype,
    patch: (module, observer) => patchStainless(name, copyOf(module), observer),
    patchClient(client, observer) {
      if (typeof (client as { makeRequest?: unknown }).makeRequest !== 'function')
        throw new MeterError('BAD_INPUT', expected('client', `a client of ${name}`, client))
      const APIError = errorClass((client.constructor as unknown as Namespace)['APIError'])
      return patchStainlessClient(name, client, APIError, observer)
    },
  }
}

/** Which SDK a client belongs to, by the seams it has. */
export function sdkOfClient(client: unknown): SdkName | undefined {
  if (typeof client !== 'object' || client === null) return undefined
  try {
    return seamOf(client)
  } catch {
    // Not even to be looked at.
    return undefined
  }
}

function seamOf(client: object): SdkName | undefined {
  if (typeof (client as Namespace)['makeRequest'] === 'function') {
    if ('messages' in client) return 'anthropic'
    // Every class of a Stainless SDK has itself as a static, by its name; subclasses and minified ones too.
    return 'Groq' in client.constructor ? 'groq' : 'openai'
  }
  return typeof (client as { apiClient?: unknown }).apiClient === 'object' ? 'google' : undefined
}

/**
 * The class in `module`: itself, or one of its exports. `require('openai')` of openai 5 and later is a wrapper function
 * whose prototype is not the class's, so only a class whose prototype chain has the seam counts.
 */
function findClass(module: unknown, names: readonly string[], seam: string): Class | undefined {
  const candidates = [module, ...names.map((name) => property(module, name)), property(module, 'default')]
  for (const name of names) candidates.push(property(property(module, 'default'), name))
  return candidates.find(
    (candidate): candidate is Class =>
      typeof candidate === 'function' && typeof candidate.prototype === 'object' && seam in candidate.prototype,
  )
}

function property(object: unknown, name: string): unknown {
  return (typeof object === 'object' && object !== null) || typeof object === 'function'
    ? (object as Namespace)[name]
    : undefined
}

function errorClass(value: unknown): ErrorClass | undefined {
  return typeof value === 'function' ? (value as ErrorClass) : undefined
}

const genAiCopies = new WeakMap<object, GenAiCopy>()

/** The error base beside a client class: in the module that was handed over, or in the copy that has the class. */
function apiErrorOf(Client: unknown, module?: unknown): () => ErrorClass | undefined {
  let found = errorClass(property(module, 'ApiError'))
  let isSought = found !== undefined
  return () => {
    if (isSought) return found
    isSought = true
    const copy = locate('google').loaded.find(({ namespace }) => namespace['GoogleGenAI'] === Client)
    found = errorClass(copy?.namespace['ApiError'])
    return found
  }
}

/** ApiClient is not exported: an instance is taken from a client made for the purpose, which opens no connection. */
function genAiCopy(module: unknown): GenAiCopy {
  const Client = (property(module, 'GoogleGenAI') ??
    property(property(module, 'default'), 'GoogleGenAI') ??
    module) as Class
  if (typeof Client !== 'function')
    throw new MeterError('BAD_INPUT', expected('modules', 'the class GoogleGenAI, or its module', module))
  const known = genAiCopies.get(Client)
  if (known) return known
  const probe = silently(
    () => new (Client as unknown as new (options: object) => Namespace)({ apiKey: 'probe', vertexai: false }),
  )
  const apiClient = probe['apiClient']
  if (typeof apiClient !== 'object' || apiClient === null)
    throw new MeterError(
      'BAD_INPUT',
      'This copy of @google/genai has no `apiClient` on its clients: its version is not supported.',
    )
  const copy: GenAiCopy = {
    apiClient: Object.getPrototypeOf(apiClient) as object,
    models: typeof probe['models'] === 'object' ? (probe['models'] as object) : undefined,
    live: typeof probe['live'] === 'object' ? (probe['live'] as object) : undefined,
    interactions: interactionsOf(probe),
    ApiError: apiErrorOf(Client, module),
  }
  genAiCopies.set(Client, copy)
  return copy
}

/** Made when first asked for, with a warning that they are new. */
function interactionsOf(client: object): object | undefined {
  try {
    const interactions = silently(() => property(client, 'interactions'))
    return typeof interactions === 'object' && interactions !== null ? interactions : undefined
  } catch {
    return undefined
  }
}

/** The constructor prints a warning when both GOOGLE_API_KEY and GEMINI_API_KEY are set: not a client of the application's. */
function silently<T>(fn: () => T): T {
  const { warn, debug } = console
  console.warn = console.debug = () => {}
  try {
    return fn()
  } finally {
    console.warn = warn
    console.debug = debug
  }
}
