// A reconciliation on a terminal: one sentence, the causes, what drifts, and who is billed without being logged.

import { dollars } from '../figures.ts'
import type { Reconciliation } from '../reconcile/result.ts'
import { count, headline, ownerLine, percent, periodOf, unpricedLine, volumeOf } from '../reconcile/words.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { printable, wrap } from './width.ts'

const MOST = 12

export function showReconciliation(result: Reconciliation, owner: string | undefined, terminal: Terminal): void {
  const { print, paint, width } = terminal
  const colour = result.status === 'ok' ? 'green' : result.status === 'warn' ? 'yellow' : 'red'
  print(paint('dim', printable(`${result.source}, ${periodOf(result)}, ${count(result.calls)} calls`)))
  for (const line of wrap(printable(headline(result)), width)) print(paint(colour, line))
  if (result.notFinal.length > 0) print(`Not final yet, and left out: ${result.notFinal.join(', ')}.`)
  if (result.baseline !== undefined)
    print(printable(`Drift is measured from ${result.baseline.day} on: ${result.baseline.reason}`))
  if (result.causes.length > 0) {
    table(
      [{ title: 'cause', least: 12 }, { title: 'billed less logged' }, { title: 'places', dispensable: 1 }],
      result.causes.map(({ cause, cost, places }) => [cause, dollars(cost), count(places)]),
    )
  }
  const off = result.drift.filter(({ status }) => status !== 'ok')
  if (off.length > 0)
    table(
      [
        { title: 'drift of', least: 16 },
        { title: 'kind', least: 10 },
        { title: 'volume' },
        { title: 'price' },
        { title: 'billed', dispensable: 1 },
        { title: '', least: 4 },
      ],
      off
        .slice(0, MOST)
        .map((row) => [row.model, row.type ?? '', volumeOf(row), percent(row.price), dollars(row.billed), row.status]),
    )
  if (result.unattributed.length > 0)
    table(
      [{ title: 'billed, and in no log', least: 20 }, { title: 'model', least: 12 }, { title: 'at our prices' }],
      result.unattributed.slice(0, MOST).map(({ who, model, cost, cause }) => [who ?? cause, model, dollars(cost)]),
    )
  const { exact, allocated, estimated } = result.canonical
  print()
  print(
    `Costs of single calls: EXACT ${dollars(exact)}, ALLOCATED ${dollars(allocated)}, ESTIMATED ${dollars(estimated)}.`,
  )
  for (const line of [unpricedLine(result), ownerLine(result, owner)]) if (line !== undefined) print(printable(line))

  function table(columns: Parameters<typeof layOut>[0], rows: Parameters<typeof layOut>[1]): void {
    const { header, lines } = layOut(columns, rows, width)
    print()
    print(paint('dim', header))
    for (const line of lines) print(line)
  }
}
