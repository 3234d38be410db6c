// Which statement a command line means: a provider's own API, or a file in one of the forms that we read.

import { providerNamed } from '../pricing/provider-names.ts'
import { anthropicStatement } from '../reconcile/sources/anthropic.ts'
import { awsCurStatement } from '../reconcile/sources/aws-cur.ts'
import { azureCostsStatement } from '../reconcile/sources/azure-costs.ts'
import { bedrockStatement } from '../reconcile/sources/bedrock.ts'
import { csvStatement } from '../reconcile/sources/csv.ts'
import { focusStatement } from '../reconcile/sources/focus.ts'
import { googleBillingStatement } from '../reconcile/sources/google-billing.ts'
import { liteLlmStatement } from '../reconcile/sources/litellm.ts'
import { openaiStatement } from '../reconcile/sources/openai.ts'
import { openRouterStatement } from '../reconcile/sources/openrouter.ts'
import type { Statement, Step } from '../reconcile/statement.ts'
import { Stop } from './command.ts'

interface Asked {
  readonly provider: string
  readonly files?: readonly string[] | undefined
  readonly format?: string | undefined
  readonly step: Step
  readonly byProfile: boolean
}

const FORMATS = {
  csv: csvStatement,
  focus: focusStatement,
  litellm: liteLlmStatement,
  'google-billing': googleBillingStatement,
  'aws-cur': awsCurStatement,
  'azure-costs': azureCostsStatement,
  bedrock: bedrockStatement,
} as const

export const FORMAT_NAMES = Object.keys(FORMATS)
export const PULLED = ['openai', 'anthropic', 'openrouter'] as const

/**
 * Keys come from the environment alone, so that none stands in a shell's history. Not OPENAI_BASE_URL, which often names a
 * gateway: an admin key is not for it to see.
 */
export function statementOf(
  { provider: named, files, format, step, byProfile }: Asked,
  env: NodeJS.ProcessEnv,
): Statement {
  const provider = providerNamed(named)
  if (files !== undefined) {
    const read = Object.hasOwn(FORMATS, format ?? 'csv')
      ? FORMATS[(format ?? 'csv') as keyof typeof FORMATS]
      : undefined
    if (read === undefined)
      throw new Stop(2, `Expected \`--format\` to be one of ${FORMAT_NAMES.join(', ')}, got ${JSON.stringify(format)}.`)
    return read({ path: files, provider })
  }
  if (format !== undefined) throw new Stop(2, '`--format` is of a file: `--file <path>` names it.')
  if (provider === 'openai')
    return openaiStatement({ adminKey: env['OPENAI_ADMIN_KEY'], baseUrl: env['OPENAI_ADMIN_BASE_URL'], step })
  if (provider === 'anthropic')
    return anthropicStatement({
      adminKey: env['ANTHROPIC_ADMIN_KEY'],
      baseUrl: env['ANTHROPIC_ADMIN_BASE_URL'],
      step,
      byProfile,
    })
  if (provider === 'openrouter') return openRouterStatement({ managementKey: env['OPENROUTER_MANAGEMENT_KEY'] })
  throw new Stop(
    2,
    `Only ${PULLED.join(', ')} can be asked over their APIs; for ${JSON.stringify(provider)} give an export of its bill: \`--file <path> --format <${FORMAT_NAMES.join('|')}>\`.`,
  )
}
