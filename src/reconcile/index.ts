// `tallygate/reconcile`: what providers billed, compared with what the ledger says.

export type { PicoUsd } from '../money.ts'
export type { PriceBook } from '../pricing/price.ts'
export type { CanonicalCost, CostLabel } from './canonical.ts'
export { CAUSES, type Cause, MEANING } from './causes.ts'
export type { LedgerPlace } from './database.ts'
export { type Accepted, THRESHOLDS, type Thresholds } from './drift.ts'
export type { FileOptions } from './file-statement.ts'
export { toHtml } from './html.ts'
export { toJson } from './json.ts'
export { toMarkdown } from './markdown.ts'
export { type ReconcileOptions, reconcile } from './reconcile.ts'
export { reconciledCosts, reconciledDays } from './reconciled.ts'
export type {
  CauseLine,
  CauseTotal,
  CostShares,
  DriftRow,
  Reconciliation,
  Sides,
  SideTotal,
  Status,
  Unattributed,
  UnitPrice,
} from './result.ts'
export { type AnthropicStatementOptions, anthropicStatement } from './sources/anthropic.ts'
export { awsCurStatement } from './sources/aws-cur.ts'
export { azureCostsStatement } from './sources/azure-costs.ts'
export { bedrockStatement } from './sources/bedrock.ts'
export { csvStatement } from './sources/csv.ts'
export { focusStatement } from './sources/focus.ts'
export { googleBillingStatement } from './sources/google-billing.ts'
export { liteLlmStatement } from './sources/litellm.ts'
export { type OpenAiStatementOptions, openaiStatement } from './sources/openai.ts'
export { type OpenRouterStatementOptions, openRouterStatement } from './sources/openrouter.ts'
export type { Grain, KeptPages, Period, Statement, StatementKind, StatementRow, Step, TokenType } from './statement.ts'
