// A report as one page of HTML that needs nothing else: no script, no style sheet, no picture from anywhere, and every name escaped.

import { escaped } from '../html.ts'
import type { PicoUsd } from '../money.ts'

/** HTML that has been made by one of the functions here. */
export interface Html {
  readonly html: string
}

export function paragraph(text: string): Html {
  return { html: `<p>${escaped(text)}</p>` }
}

export function heading(text: string): Html {
  return { html: `<h2>${escaped(text)}</h2>` }
}

/** The one figure that a report is about. */
export function headline(figure: string, words: string): Html {
  return { html: `<p class="headline"><strong>${escaped(figure)}</strong> ${escaped(words)}</p>` }
}

export function list(items: readonly string[]): Html {
  return { html: `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>` }
}

/** Columns whose title begins with `#` are figures, and stand on the right. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): Html {
  const isFigure = titles.map((title) => title.startsWith('#'))
  const cell = (tag: string, text: string, i: number) =>
    `<${tag}${isFigure[i] ? ' class="figure"' : ''}>${escaped(text)}</${tag}>`
  const head = titles.map((title, i) => cell('th', title.replace(/^#/, ''), i)).join('')
  const body = rows.map((row) => `<tr>${row.map((text, i) => cell('td', text, i)).join('')}</tr>`).join('\n')
  return { html: `<div class="wide"><table><thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div>` }
}

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
.headline{font-size:1.2rem}.headline strong{font-size:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}
.figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}`

export function page(title: string, parts: readonly Html[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${parts.map(({ html }) => html).join('\n')}
</body>
</html>
`
}

/** Tenths of a per cent of a whole: `12.5 %`. */
export function share(part: PicoUsd, whole: PicoUsd): string {
  if (whole === 0n) return '0.0 %'
  const tenths = (part * 2000n + (part < 0n ? -whole : whole)) / (whole * 2n)
  const size = tenths < 0n ? -tenths : tenths
  return `${tenths < 0n ? '-' : ''}${size / 10n}.${size % 10n} %`
}
