// `tallygate/alerts`: tells somebody when a ledger says that something is wrong.

export type { Alert, AlertKind, AlertRule, Notice } from './alert.ts'
export type { AnomalyOptions } from './anomalies.ts'
export type { DriftOptions } from './drift.ts'
export type { LimitAlertOptions } from './limits.ts'
export { SIGNATURE_HEADER, type VerifyOptions, verifyAlert } from './signature.ts'
export { type AlertTarget, callback, slack, type WebhookOptions, webhook } from './targets.ts'
export type { AlertCheck, AlertWatch } from './watch.ts'
export { type WatchAlertsOptions, watchAlerts } from './watch-alerts.ts'
