// An invoice as a page that loads nothing and runs nothing: a browser prints it, or saves it as PDF.

import { escaped } from '../html.ts'
import type { Invoice } from './invoice.ts'
import { type DocumentRow, type InvoiceDocumentOptions, invoiceDocument } from './invoice-document.ts'

const STYLE = `
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 52rem; padding: 0 1.5rem; color: #1a1d21; background: #fff; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 0 1.25rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1.5rem; margin: 0 0 2rem; }
dt { color: #5b6470; }
dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0 0.3rem 1rem; text-align: right; vertical-align: baseline; }
th:first-child, td:first-child { padding-left: 0; overflow-wrap: anywhere; }
th:nth-child(odd):not(:last-child), td:nth-child(odd):not(:last-child) { text-align: left; }
thead th { font-weight: 400; color: #5b6470; border-bottom: 1px solid #1a1d21; }
tbody th { font-weight: 600; padding-top: 1rem; text-align: left; }
td { border-top: 1px solid #e4e7eb; }
.sum td { border-top-color: #9aa3ad; font-weight: 600; }
.total td { border-top: 1px solid #1a1d21; font-weight: 600; }
tfoot::before { content: ''; display: table-row; height: 1rem; }
ul { margin: 2rem 0 0; padding-left: 1.2rem; color: #5b6470; }
@page { size: A4; margin: 18mm; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  tr { break-inside: avoid; }
  tbody tr:first-child { break-after: avoid; }
}
`

/** What the page may do: be looked at in its own style. The same for whoever serves it, as `Content-Security-Policy`. */
export function invoicePolicy(): string {
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(STYLE).digest('base64')
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`
}

/**
 * The invoice as one HTML page, exact to the last digit: printed from a browser, it is a PDF.
 *
 * @example
 * import { openLedger } from 'tallygate/ledger'
 * await using ledger = openLedger({ dir: '.tallygate' })
 * const page = invoiceHtml(await ledger.invoice({ tenantId: 'acme', month: '2026-11' }), { chargesOnly: true })
 */
export function invoiceHtml(invoice: Invoice, options: InvoiceDocumentOptions = {}): string {
  const { title, facts, header, groups, total, notes } = invoiceDocument(invoice, options)
  const cells = (tag: 'td' | 'th', texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')
  const rowOf = ({ kind, cells: texts }: DocumentRow) => `<tr class="${kind}">${cells('td', texts)}</tr>`
  const bodies = groups.map(
    ({ name, rows }) =>
      `<tbody>\n<tr><th colspan="${header.length}"><bdi>${escaped(name)}</bdi></th></tr>\n${rows.map(rowOf).join('\n')}\n</tbody>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(invoicePolicy())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1><bdi>${escaped(title)}</bdi></h1>
<dl>
${facts.map(([name, value]) => `<dt>${escaped(name)}</dt><dd><bdi>${escaped(value)}</bdi></dd>`).join('\n')}
</dl>
<table>
<thead><tr>${header.map((text) => `<th scope="col">${escaped(text)}</th>`).join('')}</tr></thead>
${bodies.join('\n')}
<tfoot>
${total.map(rowOf).join('\n')}
</tfoot>
</table>
${notes.length === 0 ? '' : `<ul>\n${notes.map((note) => `<li>${escaped(note)}</li>`).join('\n')}\n</ul>\n`}</body>
</html>
`
}
