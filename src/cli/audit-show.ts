// An audit as a person reads it on a terminal.

import { type AuditAbout, auditTables, CAUTION, headlineOf, tolerancesInWords } from '../audit/audit-report.ts'
import type { AuditReport } from '../audit/labels.ts'
import { shown } from './place.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { printable, wrap } from './width.ts'

export function printAudit(
  report: AuditReport,
  { about, seed }: AuditAbout,
  path: string | undefined,
  { print, paint, width }: Terminal,
): void {
  const lines = (text: string) => {
    for (const line of wrap(printable(text), width)) print(line)
  }
  const dim = (text: string) => {
    for (const line of wrap(printable(text), width)) print(paint('dim', line))
  }
  const grid = ({ titles, rows }: { titles: readonly string[]; rows: readonly (readonly string[])[] }) => {
    const columns = titles.map((title) =>
      title.startsWith('#') ? { title: title.slice(1) } : { title, least: title === 'why' ? 20 : 10 },
    )
    const table = layOut(columns, rows, width)
    print(paint('dim', table.header))
    for (const line of table.lines) print(line)
  }
  dim(about)
  if (seed !== undefined) dim(`Seed: ${seed}.`)
  print()
  print(paint('bold', printable(`${headlineOf(report)}.`)))
  const { figures, unverifiable } = auditTables(report)
  if (figures.rows.length > 0) {
    print()
    grid(figures)
  }
  print()
  if (report.findings.length === 0) print('Nothing that could be checked is beside what was billed.')
  for (const { kind, label, provider, model, what, examples } of report.findings) {
    print(paint('yellow', printable(`${kind}  ${provider}/${model}  ${label}`)))
    lines(`  ${what}`)
    dim(`  ${examples.slice(0, 3).join(' ')}`)
  }
  if (report.findings.length > 0) dim(CAUTION)
  if (unverifiable.rows.length > 0) {
    print()
    grid(unverifiable)
  }
  print()
  dim(`Tolerances: ${tolerancesInWords(report.tolerances)}.`)
  if (report.unpriced > 0) dim(`Without a known cost, and in no sum: ${report.unpriced} calls.`)
  if (path !== undefined) print(`Written: ${shown(path)}`)
}
