// What meters say of themselves, made up.

import type { MeterReport, RefusedCalls } from '../../src/sinks/meter-report.ts'
import { NOV_22 } from './ledgers.ts'

export const MINUTE = 60_000

/** Not the first of its meter, with which those that were silent for long are forgotten. */
export function meterReport(over: Partial<MeterReport> = {}): MeterReport {
  const { sequence = 2 } = over
  return {
    meterId: 'meter-1',
    sequence,
    at: NOV_22 + sequence * MINUTE,
    startedAt: NOV_22,
    isEnded: false,
    appName: 'shop',
    environment: 'production',
    hostName: 'web-1',
    pid: 4711,
    version: '0.1.0',
    nodeVersion: '24.1.0',
    calls: 10,
    errors: 1,
    refused: 2,
    waiting: 0,
    lost: 0,
    deadLetters: 0,
    unmetered: [],
    problems: [],
    refusals: [],
    ...over,
  }
}

export function refused(over: Partial<RefusedCalls> = {}): RefusedCalls {
  return {
    at: NOV_22,
    tenantId: 'acme',
    scope: 'tenant=acme',
    window: 'month',
    code: 'LIMIT_EXCEEDED',
    calls: 1,
    ...over,
  }
}
