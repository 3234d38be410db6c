// What meters say of themselves, in the SQLite ledger: a row for each meter, and one for each minute, meter and limit that refused calls.

import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from '../../sqlite/transaction.ts'
import { FORGOTTEN_AFTER_MS, type MeterReport, toWireReport, unmeteredCalls } from '../meter-report.ts'

const KEPT = [
  'sequence',
  'at',
  'started_at',
  'ended',
  'app_name',
  'environment',
  'host_name',
  'version',
  'waiting',
  'waiting_since',
  'lost',
  'dead_letters',
  'unmetered',
  'report',
]
const METER = `INSERT INTO meters (project, meter_id, ${KEPT.join(', ')}) VALUES (?, ?, ${KEPT.map(() => '?').join(', ')})
  ON CONFLICT (project, meter_id) DO UPDATE SET ${KEPT.map((name) => `${name} = excluded.${name}`).join(', ')}
  WHERE excluded.sequence > meters.sequence`
const REFUSED = `INSERT INTO refusals (project, meter_id, at, tenant_id, scope, "window", code, calls)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (at, project, meter_id, tenant_id, scope, "window", code)
  DO UPDATE SET calls = excluded.calls WHERE excluded.calls > refusals.calls`

/** All of it or nothing. A report that came before changes nothing, nor does one that another has overtaken, but for its refusals. */
export function keepReport(db: DatabaseSync, report: MeterReport, now: number): void {
  const { refusals, project = '', meterId } = report
  inTransaction(db, () => {
    if (report.sequence === 1) db.prepare('DELETE FROM meters WHERE at < ?').run(now - FORGOTTEN_AFTER_MS)
    db.prepare(METER).run(
      project,
      meterId,
      report.sequence,
      report.at,
      report.startedAt,
      Number(report.isEnded),
      report.appName ?? null,
      report.environment ?? null,
      report.hostName,
      report.version,
      report.waiting,
      report.waitingSince ?? null,
      report.lost,
      report.deadLetters,
      unmeteredCalls(report),
      JSON.stringify(toWireReport({ ...report, refusals: [] })),
    )
    const refused = db.prepare(REFUSED)
    for (const { at, tenantId, scope, window, code, calls } of refusals)
      refused.run(project, meterId, at, tenantId ?? '', scope ?? '', window ?? '', code, calls)
  })
}
