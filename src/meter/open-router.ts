// A ready client of the application's own openai package, for OpenRouter.

import { expected, MeterError } from '../errors.ts'
import { locate } from '../patch/locate.ts'
import { SDKS } from '../patch/sdks.ts'

// An application without openai finds `any` in its place: scripts/build.mjs sees to that.
type OpenAIPackage = typeof import('openai')

/** The client of the application's own openai. */
export type OpenAIClient = InstanceType<OpenAIPackage['OpenAI']>

type ClientOptions = NonNullable<ConstructorParameters<OpenAIPackage['OpenAI']>[0]>

/** What {@link Meter.openRouter} takes: the options of an openai client, with these among them. */
export interface OpenRouterOptions extends ClientOptions {
  /** Default: the environment's `OPENROUTER_API_KEY`. */
  readonly apiKey?: string | undefined
  /** The class `OpenAI`, where it cannot be found by itself: in a bundle. */
  readonly OpenAI?: OpenAIPackage['OpenAI'] | undefined
}

const BASE_URL = 'https://openrouter.ai/api/v1'

export function openRouterClient(options: OpenRouterOptions): OpenAIClient {
  if (typeof options !== 'object' || options === null)
    throw new MeterError('BAD_INPUT', expected('options', 'an object', options))
  const { OpenAI: given, apiKey = process.env['OPENROUTER_API_KEY'], ...rest } = options
  if (typeof apiKey !== 'string' || apiKey === '')
    throw new MeterError(
      'BAD_INPUT',
      'OpenRouter needs an `apiKey`, given here or in the environment as OPENROUTER_API_KEY.',
    )
  const OpenAI = given ?? found()
  return new OpenAI({ baseURL: BASE_URL, ...rest, apiKey })
}

/** The build that `import` gives, where there is one: what is made here is then an instance of the application's class. */
function found(): OpenAIPackage['OpenAI'] {
  const { loaded } = locate('openai')
  for (const { namespace } of loaded.toSorted((a, b) => Number(b.format === 'esm') - Number(a.format === 'esm'))) {
    try {
      SDKS.openai.target(namespace)
      return namespace['OpenAI'] as OpenAIPackage['OpenAI']
    } catch {
      // A copy that is half there.
    }
  }
  throw new MeterError(
    'BAD_INPUT',
    '`meter.openRouter()` makes a client of the package openai, which is not installed: `npm install openai`. In a bundle, hand its class over: `meter.openRouter({ apiKey, OpenAI })`.',
  )
}
