// @ts-check
// Writes the table of docs/options.md from src/options.ts: one list of options, with its words beside each.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './entries.mjs'

const PAGE = join(root, 'docs/options.md')
const BEGIN = '<!-- the table is written by scripts/options-table.mjs -->'
const END = '<!-- end of the table -->'

/** @returns {string} */
export function optionsTable() {
  const source = readFileSync(join(root, 'src/options.ts'), 'utf8')
  const options = source.slice(source.indexOf('export interface MeterOptions {'), source.indexOf('\n}\n') + 1)
  const rows = [...options.matchAll(/\/\*\* (.+?) \*\/\n {2}readonly (\w+)\?: (.+?) \| undefined\n/gs)].map(row)
  return ['| Option | Type | What it does | Environment |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** @param {RegExpMatchArray} match */
function row([, words = '', name = '', type = '']) {
  const text = words.replace(/\s*\n\s*\* ?/g, ' ')
  const [, says = text, variable = '', more = ''] = /^(.*?) ?Environment: (`\w+`)(.*?)\.$/.exec(text) ?? []
  const shown = type
    .replaceAll('|', '\\|')
    .replace(/Readonly<(.+)>/, '$1')
    .replace(/^readonly /, '')
    .replace(/^\((.+)\)$/, '$1')
  return `| \`${name}\` | \`${shown}\` | ${says.replaceAll('|', '\\|')} | ${variable}${more} |`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = readFileSync(PAGE, 'utf8')
  const [before] = page.split(BEGIN)
  const [, after] = page.split(END)
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${optionsTable()}\n\n${END}${after}`)
}
