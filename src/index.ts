// What a user of the package imports; everything else is a subpath.

export {
  LimitExceededError,
  type LimitWindow,
  MeterError,
  type MeterErrorCode,
  MissingTenantError,
  type Refusal,
} from './errors.ts'
export type { Attempt, CostLine, CostSource, LLMEvent, TagValue } from './event.ts'
export type { Limit, LimitState } from './limits/limit.ts'
export type { ManualCall } from './manual.ts'
export type { HostCoverage } from './meter/coverage.ts'
export type { CopyDiagnosis, DoctorReport, SdkDiagnosis } from './meter/doctor.ts'
export type { OpenAIClient, OpenRouterOptions } from './meter/open-router.ts'
export type { MeterStats } from './meter/stats.ts'
export { Meter } from './meter.ts'
export type { PatchTarget } from './options/patch-names.ts'
export type { MeterOptions } from './options.ts'
export type { CopyReport, PatchReport, SdkReport } from './patch/patches.ts'
export type { Problem, ProblemKind } from './problems.ts'
export { defineProvider, type OwnProvider, type ProviderDefinition } from './providers/own.ts'
export type { OwnReading, OwnRoute } from './providers/own-route.ts'
export type { Attribution } from './tenant.ts'
export type { Bucket, Usage, UsageBounds, UsageSource } from './usage.ts'
