// A refusal as whoever calls `fetch` meets refusals: an answer with status 402, in the words of the provider asked.

import { LimitExceededError, type MeterError } from '../errors.ts'

type Json = Record<string, unknown>

/** What is said, and the facts that `LimitExceededError.from` finds again in an error that was made of this answer. */
interface Said {
  readonly message: string
  readonly code: string
  readonly tallygate: Json
}

/** Why, in the spelling of such types: `limit_exceeded`, `missing_tenant`, `unknown_price`. */
const typeOf = (code: string): string => code.toLowerCase()

const openai = ({ message, code, tallygate }: Said): Json => ({
  error: { message, type: typeOf(code), param: null, code, tallygate },
})

/** The error bodies of providers whose clients check them: by a schema, most of them, which lets our own field pass. */
const SHAPES: Readonly<Record<string, (said: Said) => Json>> = {
  anthropic: ({ message, code, tallygate }) => ({
    type: 'error',
    error: { type: 'billing_error', message, code, tallygate },
    request_id: null,
  }),
  google: ({ message, code, tallygate }) => ({
    error: { code: 402, message, status: code, details: [], tallygate },
  }),
  openrouter: ({ message, code, tallygate }) => ({
    error: { code: 402, message, metadata: { code, tallygate } },
  }),
  mistral: ({ message, code, tallygate }) => ({
    object: 'error',
    message,
    type: typeOf(code),
    param: null,
    code,
    tallygate,
  }),
  cohere: ({ message, code, tallygate }) => ({ message, code, tallygate }),
}

/** The answer that nobody sent: from `url`, to a call of this provider's that was refused. */
export function refusalResponse(refusal: MeterError, provider: string, url: string): Response {
  const { message, code } = refusal
  const said: Said = { message, code, tallygate: { code, message, ...factsOf(refusal) } }
  const response = Response.json((SHAPES[provider] ?? openai)(said), {
    status: 402,
    statusText: 'Payment Required',
    // The clients of openai and anthropic ask for it before they look at the status.
    headers: { 'x-should-retry': 'false' },
  })
  return Object.defineProperty(response, 'url', { value: url, configurable: true })
}

function factsOf(refusal: MeterError): Json {
  if (!(refusal instanceof LimitExceededError)) return {}
  const { tenantId, limitUsd, spentUsd, heldUsd, window, scope, limitOf, mode, wouldPassWithCap } = refusal
  const { resetsAt, provider, model } = refusal
  const limit = { limitUsd, spentUsd, heldUsd, window, scope, limitOf, mode, wouldPassWithCap }
  return { tenantId, ...limit, resetsAt: resetsAt?.toISOString(), provider, model }
}
