// One tenant's usage as a page of its own, to be put into an application: no script, nothing loaded, nothing that is not told in JSON too.

import { createHash } from 'node:crypto'
import { formatCount, usdColumn } from '../figures.ts'
import { escaped } from '../html.ts'
import { parseUsd } from '../money.ts'
import type { View } from './view-rows.ts'

interface Figures {
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly usd: string
}

interface Standing {
  readonly window: string
  readonly used_percent: number
  readonly limit_usd?: string
  readonly spent_usd?: string
  readonly resets_at: string | null
}

interface Usage {
  readonly since: string | null
  readonly until: string | null
  readonly total: Figures
  readonly by_day: readonly (Figures & { readonly day: string })[]
  readonly by_model: readonly (Figures & { readonly model: string })[]
  readonly by_feature: readonly (Figures & { readonly feature: string | null })[]
  readonly by_user: readonly (Figures & { readonly user: string | null })[]
  readonly limits: readonly Standing[]
}

/** More are in the JSON. */
const MOST_ROWS = 50

const STYLE = `:root{color-scheme:light dark;--ink:#1b1e23;--muted:#5c636d;--rule:#dfe0dc;--paper:#fdfdfc;--bar:#3f68c9;--full:#a8261c}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ea;--muted:#9aa2ac;--rule:#2f343a;--paper:#15171a;--bar:#6f95ee;--full:#ff9a8f}}
body{margin:0;padding:16px;font:14px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums;color:var(--ink);background:var(--paper)}
h1{font-size:20px;font-weight:600;margin:0}h2{font-size:14px;font-weight:600;margin:24px 0 4px}p{margin:4px 0;color:var(--muted)}
.total{font-size:28px;font-weight:600;color:var(--ink);margin:8px 0 0}
table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:600;padding:24px 0 4px}
th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--rule);text-align:right;font-weight:400;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere}thead th{color:var(--muted)}
progress{width:100%;height:8px;accent-color:var(--bar)}.full progress{accent-color:var(--full)}.full strong{color:var(--full)}
@media(max-width:480px){.wide{display:none}}`

export function usagePage({ body }: View): Response {
  const html = pageOf(body as unknown as Usage)
  const style = createHash('sha256').update(STYLE).digest('base64')
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      // Frames of any origin: whoever sees it has been given it, and there is nothing on it to click.
      'content-security-policy': `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      vary: 'accept',
    },
  })
}

function pageOf(usage: Usage): string {
  const { total } = usage
  const parts = [
    ...usage.limits.map(limitOf),
    tableOf('By day (UTC)', 'Day', usage.by_day, ({ day }) => day),
    tableOf('By model', 'Model', usage.by_model, ({ model }) => model),
    tableOf('By feature', 'Feature', usage.by_feature, ({ feature }) => feature),
    tableOf('By user', 'User', usage.by_user, ({ user }) => user),
  ]
  const title = `Usage${spanOf(usage)}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>${STYLE}</style></head><body><main><h1>${escaped(title)}</h1>
<p class="total">${escaped(moneyOf([total])(total))}</p>
<p>${formatCount(total.calls)} ${total.calls === 1 ? 'call' : 'calls'}, ${formatCount(total.input_tokens + total.output_tokens)} tokens</p>
${parts.join('\n')}</main></body></html>
`
}

/** The end is not included: a month ends with its last day. */
function spanOf({ since, until }: Usage): string {
  const from = since?.slice(0, 10)
  const to = until === null ? undefined : new Date(Date.parse(until) - 1).toISOString().slice(0, 10)
  return `${from === undefined ? '' : ` since ${from}`}${to === undefined ? '' : ` until ${to}`}`
}

const WINDOWS: Readonly<Record<string, string>> = {
  hour: 'this hour',
  day: 'today',
  week: 'this week',
  month: 'this month',
  total: 'in all',
}

function limitOf({ window, used_percent, limit_usd, spent_usd, resets_at }: Standing): string {
  const when = WINDOWS[window] ?? window
  const usd = usdColumn([spent_usd, limit_usd].map((text) => parseUsd(text ?? '0') ?? 0n))
  const sums =
    limit_usd === undefined || spent_usd === undefined
      ? ''
      : ` (${usd(parseUsd(spent_usd)!)} of ${usd(parseUsd(limit_usd)!)})`
  const resets = resets_at === null ? '' : `, resets ${resets_at.slice(0, 16).replace('T', ' ')} UTC`
  const name = `Limit ${when}`
  return `<section${used_percent >= 100 ? ' class="full"' : ''}><h2>${escaped(name)}</h2>
<progress aria-label="${escaped(name)}" max="100" value="${Math.min(100, used_percent)}"></progress>
<p><strong>${used_percent} %</strong> used${escaped(sums)}${escaped(resets)}</p></section>`
}

function tableOf<Row extends Figures>(
  caption: string,
  name: string,
  rows: readonly Row[],
  keyOf: (row: Row) => string | null,
): string {
  // Nobody is shown a table of what the application does not say.
  if (rows.every((row) => keyOf(row) === null)) return ''
  const shown = rows.slice(0, MOST_ROWS)
  const usd = moneyOf(shown)
  const lines = shown.map(
    (row) =>
      `<tr><th scope="row">${escaped(keyOf(row) ?? '(none)')}</th><td class="wide">${formatCount(row.calls)}</td>` +
      `<td class="wide">${formatCount(row.input_tokens)}</td><td class="wide">${formatCount(row.output_tokens)}</td>` +
      `<td>${escaped(usd(row))}</td></tr>`,
  )
  const more = rows.length > shown.length ? `<p>The first ${MOST_ROWS} of ${formatCount(rows.length)}.</p>` : ''
  return `<table><caption>${caption}</caption><thead><tr><th scope="col">${name}</th><th scope="col" class="wide">Calls</th>
<th scope="col" class="wide">Tokens in</th><th scope="col" class="wide">Tokens out</th><th scope="col">Amount</th></tr></thead>
<tbody>${lines.join('\n')}</tbody></table>${more}`
}

function moneyOf(rows: readonly Figures[]): (row: Figures) => string {
  const usd = usdColumn(rows.map((row) => parseUsd(row.usd) ?? 0n))
  return (row) => usd(parseUsd(row.usd) ?? 0n)
}
