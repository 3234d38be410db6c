// A reconciliation as Markdown.

import type { Reconciliation } from './result.ts'
import { headline, ownerLine, periodOf, type Table, tablesOf, unpricedLine } from './words.ts'

/**
 * A report to put into a ticket or a chat. `owner`: who is to look at a difference.
 *
 * @example
 * import { csvStatement, reconcile } from 'tallygate/reconcile'
 * const statement = csvStatement({ path: 'november.csv', provider: 'openai' })
 * const month = { since: Date.UTC(2026, 10, 1), until: Date.UTC(2026, 11, 1) }
 * console.log(toMarkdown(await reconcile({ ledger: { path: 'ledger.db' }, statement, ...month })))
 */
export function toMarkdown(result: Reconciliation, { owner }: { readonly owner?: string | undefined } = {}): string {
  const parts = [`# ${escaped(result.provider)}, ${periodOf(result)}`, escaped(headline(result))]
  const [whose, unpriced] = [ownerLine(result, owner), unpricedLine(result)]
  if (whose !== undefined) parts.push(escaped(whose))
  if (result.notFinal.length > 0) parts.push(`Not final yet, and left out: ${result.notFinal.join(', ')}.`)
  for (const table of tablesOf(result)) parts.push(markdownOf(table))
  if (unpriced !== undefined) parts.push(escaped(unpriced))
  parts.push('## What these figures cannot tell', result.cannotTell.map((sentence) => `- ${sentence}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}

function markdownOf({ title, note, columns, figures, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  const rule = line(columns.map((_, i) => (figures.includes(i) ? '---:' : '---')))
  return [
    `## ${title}`,
    ...(note === undefined ? [] : [escaped(note)]),
    [line(columns), rule, ...rows.map(line)].join('\n'),
  ].join('\n\n')
}

/** Names of models and keys are somebody else's text. */
function escaped(text: string): string {
  return text.replace(/[\\|`*_<>[\]]/g, '\\$&').replace(/\s+/g, ' ')
}
