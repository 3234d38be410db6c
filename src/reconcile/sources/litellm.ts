// LiteLLM's spend logs, exported as JSON lines: a row for each request, with LiteLLM's own figure of what it cost.

import { providerNamed } from '../../pricing/provider-names.ts'
import { momentIn, moneyIn, optionalText } from '../fields.ts'
import { type FileFormat, type FileOptions, fileStatement } from '../file-statement.ts'
import type { Statement } from '../statement.ts'

/** `LiteLLM_SpendLogs` in schema.prisma of BerriAI/litellm, read on 2026-11-21. */
export const LITELLM: FileFormat = {
  source: 'litellm',
  name: 'LiteLLM spend log',
  isJsonLines: true,
  isOfRequests: true,
  needs: [['request_id'], ['startTime'], ['spend'], ['model']],
  lagMs: 0,
  cannotTell: [
    'LiteLLM reckons a cost by its own price list: it is a second opinion, and no bill.',
    'A request that LiteLLM answered from its own cache costs nothing, and is in no provider’s bill.',
  ],
  read(fields, where, provider) {
    const served = optionalText(fields, 'custom_llm_provider', where)
    if (served !== undefined && served !== '' && providerNamed(served) !== provider) return undefined
    const at = momentIn(fields, 'startTime', where)
    const model = optionalText(fields, 'model', where)
    return {
      kind: 'cost',
      since: at,
      until: at + 1,
      provider,
      model: withoutSeller(model, served ?? provider),
      key: optionalText(fields, 'api_key', where),
      project: optionalText(fields, 'team_id', where),
      requests: 1,
      cost: moneyIn(fields, 'spend', where),
      currency: 'USD',
      responseId: optionalText(fields, 'request_id', where),
    }
  },
}

/** As it is asked for: `anthropic/claude-opus-5`. */
function withoutSeller(model: string | undefined, seller: string): string | undefined {
  return model?.startsWith(`${seller}/`) === true ? model.slice(seller.length + 1) : model
}

/**
 * LiteLLM's spend logs.
 *
 * @example
 * const statement = liteLlmStatement({ path: 'spend-logs.jsonl', provider: 'openai' })
 */
export function liteLlmStatement(options: FileOptions): Statement {
  return fileStatement(LITELLM, options)
}
