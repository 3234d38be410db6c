// What a user of the package imports; everything else is a subpath.

export {
  LimitExceededError,
  type LimitMode,
  type LimitScopeName,
  type LimitWindow,
  MeterError,
  type MeterErrorCode,
  MissingTenantError,
  type PriceRefusal,
  type Refusal,
  type RefusalCode,
} from './errors.ts'
export type { Attempt, CostLine, CostSource, LLMEvent, TagValue } from './event.ts'
export type { Limit, LimitState } from './limits/limit.ts'
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
} from './limits/limit-store.ts'
export type { StoreDownPolicy } from './limits/outage.ts'
export type { LimitTarget } from './limits/scope.ts'
export type { LimitCheck } from './limits/standings.ts'
export type { LimitWarning } from './limits/warnings.ts'
export type { ManualCall } from './manual.ts'
export type { HostCoverage } from './meter/coverage.ts'
export type { CopyDiagnosis, DoctorReport, SdkDiagnosis } from './meter/doctor.ts'
export type { OpenAIClient, OpenRouterOptions } from './meter/open-router.ts'
export type { MeterStats } from './meter/stats.ts'
export { Meter } from './meter.ts'
export type { MarkupOption, MarkupRule } from './options/markup.ts'
export type { PatchTarget } from './options/patch-names.ts'
export type { UnknownPriceOption } from './options/unknown-price.ts'
export type { MeterOptions } from './options.ts'
export type { CopyReport, PatchReport, SdkReport } from './patch/patches.ts'
export type { OwnPrice } from './pricing/own-price.ts'
export type { OwnOverlay, PriceFile } from './pricing/price-file.ts'
export type { Problem, ProblemKind } from './problems.ts'
export { defineProvider, type OwnProvider, type ProviderDefinition } from './providers/own.ts'
export type { OwnReading, OwnRoute } from './providers/own-route.ts'
export type { Batch, Delivery, RejectedEvent, Sink } from './sinks/sink.ts'
export type { Attribution } from './tenant.ts'
export type { Bucket, Usage, UsageBounds, UsageSource } from './usage.ts'
