// An invoice as Markdown: one table, in which every text from outside is text.

import type { Invoice } from './invoice.ts'
import { type DocumentRow, type InvoiceDocumentOptions, invoiceDocument } from './invoice-document.ts'

/** The invoice as Markdown, exact to the last digit, in UTF-8 without HTML. */
export function invoiceMarkdown(invoice: Invoice, options: InvoiceDocumentOptions = {}): string {
  const { title, facts, header, groups, total, notes } = invoiceDocument(invoice, options)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rowOf = ({ kind, cells }: DocumentRow) =>
    line(cells.map((cell) => (kind === 'line' || cell === '' ? plain(cell) : `**${plain(cell)}**`)))
  return `${[
    `# ${plain(title)}`,
    '',
    ...facts.map(([name, value]) => `- ${name}: ${plain(value)}`),
    '',
    line(header),
    line(header.map((_, i) => (i === 0 || i === 2 ? '---' : '---:'))),
    ...groups.flatMap(({ name, rows }) => [
      line([`**${plain(name)}**`, ...header.slice(1).map(() => '')]),
      ...rows.map(rowOf),
    ]),
    ...total.map(rowOf),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `- ${plain(note)}`)]),
  ].join('\n')}\n`
}

/** What Markdown takes for a sign of its own stands behind a backslash; an HTML tag and an entity too. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').replaceAll(/[\\`*_{}[\]<>#|~&!]/g, '\\$&')
}
