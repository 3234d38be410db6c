// A reconciliation as Markdown.

import type { Reconciliation } from './result.ts'
import { headline, periodOf, type Table, tablesOf } from './words.ts'

/**
 * A report to put into a ticket or a chat.
 *
 * @example
 * import { csvStatement, reconcile } from 'tallygate/reconcile'
 * const statement = csvStatement({ path: 'november.csv', provider: 'openai' })
 * const month = { since: Date.UTC(2026, 10, 1), until: Date.UTC(2026, 11, 1) }
 * console.log(toMarkdown(await reconcile({ ledger: { path: 'ledger.db' }, statement, ...month })))
 */
export function toMarkdown(result: Reconciliation): string {
  const parts = [`# ${result.provider}, ${periodOf(result)}`, headline(result)]
  if (result.notFinal.length > 0) parts.push(`Not final yet, and left out: ${result.notFinal.join(', ')}.`)
  for (const table of tablesOf(result)) parts.push(markdownOf(table))
  if (result.unpriced.length > 0)
    parts.push(
      `Without a price in our book: ${result.unpriced.map(({ model, calls }) => `${model} (${calls})`).join(', ')}.`,
    )
  parts.push('## What these figures cannot tell', result.cannotTell.map((sentence) => `- ${sentence}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}

function markdownOf({ title, note, columns, figures, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  const rule = line(columns.map((_, i) => (figures.includes(i) ? '---:' : '---')))
  return [
    `## ${title}`,
    ...(note === undefined ? [] : [note]),
    [line(columns), rule, ...rows.map(line)].join('\n'),
  ].join('\n\n')
}

/** Names of models and keys are somebody else's text. */
function escaped(text: string): string {
  return text.replace(/[\\|`*_<>[\]]/g, '\\$&').replace(/\s+/g, ' ')
}
