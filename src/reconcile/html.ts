// A reconciliation as one page of HTML that needs nothing else.

import { escaped } from '../html.ts'
import type { Reconciliation } from './result.ts'
import { headline, ownerLine, periodOf, type Table, tablesOf, unpricedLine } from './words.ts'

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}.big{font-size:1.25rem}table{border-collapse:collapse;width:100%}
.wide{overflow-x:auto}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.fail{color:#c0392b}.warn{color:#b7791f}.note{opacity:.75}`

/**
 * A page to send or to keep: no script, and nothing that is loaded from elsewhere. `owner`: who is to look at a difference.
 *
 * @example
 * import { csvStatement, reconcile } from 'tallygate/reconcile'
 * const statement = csvStatement({ path: 'november.csv', provider: 'openai' })
 * const month = { since: Date.UTC(2026, 10, 1), until: Date.UTC(2026, 11, 1) }
 * const html = toHtml(await reconcile({ ledger: { path: 'ledger.db' }, statement, ...month }))
 */
export function toHtml(result: Reconciliation, { owner }: { readonly owner?: string | undefined } = {}): string {
  const title = `${result.provider}, ${periodOf(result)}`
  const left =
    result.notFinal.length > 0
      ? `<p class="note">Not final yet, and left out: ${escaped(result.notFinal.join(', '))}.</p>`
      : ''
  const paragraph = (text: string | undefined) => (text === undefined ? '' : `<p>${escaped(text)}</p>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)}</h1>
<p class="big ${result.status}">${escaped(headline(result))}</p>
${paragraph(ownerLine(result, owner))}${left}${tablesOf(result).map(tableHtml).join('\n')}
${paragraph(unpricedLine(result))}<h2>What these figures cannot tell</h2>
<ul>${result.cannotTell.map((sentence) => `<li>${escaped(sentence)}</li>`).join('')}</ul>
</body></html>
`
}

function tableHtml({ title, note, columns, figures, rows }: Table): string {
  const cell = (tag: 'th' | 'td') => (text: string, i: number) =>
    `<${tag}${figures.includes(i) ? ' class="n"' : text === 'fail' || text === 'warn' ? ` class="${text}"` : ''}>${escaped(text)}</${tag}>`
  const body = rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('')
  return `<h2>${escaped(title)}</h2>${note === undefined ? '' : `<p class="note">${escaped(note)}</p>`}
<div class="wide"><table><thead><tr>${columns.map(cell('th')).join('')}</tr></thead><tbody>${body}</tbody></table></div>`
}
