// @ts-check
// Plays every call shape with every SDK, version, module system and Node, and writes docs/compatibility.md.
// `node scripts/compatibility.mjs` needs the Nodes of tools/matrix, which `npm run matrix` brings.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'

/**
 * @typedef {{ shape: string, outcome: 'ok' | 'failed' | 'limitation', reason?: string }} Row
 * @typedef {{ sdk: string, package: string, version: string, format: 'esm' | 'cjs', node: string, rows: Row[] }} Result
 */

export const PAGE = join(root, 'docs/compatibility.md')
const NODES = ['20', '22', '24', '26']
const SDKS = ['openai', 'anthropic', 'google']
export const COMBINATIONS = SDKS.flatMap((sdk) =>
  ['current', 'next'].flatMap((app) => ['esm', 'cjs'].map((format) => ({ sdk, app, format }))),
)

/** Every combination under one Node. @param {string} node @returns {Promise<Result[]>} */
export async function playAll(node) {
  buildIfStale()
  const waiting = [...COMBINATIONS.entries()]
  /** @type {Result[]} */
  const results = []
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await play(node, next[1])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

/** @param {string} node @param {typeof COMBINATIONS[number]} combination @returns {Promise<Result>} */
function play(node, { sdk, app, format }) {
  // The folder is where an application would stand: `patchAll()` looks for the SDKs from there.
  const cwd = join(root, 'test/apps', app)
  const args = ['--expose-gc', join(root, 'test/shapes/run.mjs'), sdk, format, cwd, join(root, 'dist')]
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, complaints] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text))
    child.once('error', reject)
    child.once('close', (code) => {
      try {
        resolve(JSON.parse(out))
      } catch {
        reject(new Error(`${sdk} ${app} ${format} under ${node} ended with ${code}:\n${complaints}`))
      }
    })
  })
}

/** @param {Pick<Result, 'version' | 'format' | 'node'>} result */
export function columnOf({ version, format, node }) {
  return `${version} ${format.toUpperCase()} Node ${node.split('.')[0]}`
}

/** @param {readonly Result[]} results @param {readonly string[]} reasons @returns {Map<string, Map<string, string>>} by shape, by column */
export function tableOf(results, reasons) {
  const table = new Map()
  for (const result of results) {
    for (const { shape, outcome, reason } of result.rows) {
      if (!table.has(shape)) table.set(shape, new Map())
      const cell = outcome === 'limitation' ? `limitation ${reasons.indexOf(reason ?? '') + 1}` : outcome
      table.get(shape).set(columnOf(result), cell)
    }
  }
  return table
}

/** The limitations that the suite allows, in the order of their numbers. @returns {string[]} */
export function limitations() {
  const file = join(root, 'test/shapes/limitations.json')
  return JSON.parse(readFileSync(file, 'utf8')).map((/** @type {{ reason: string }} */ { reason }) => reason)
}

/** The tables of the page: by SDK, by shape, by column. @returns {Map<string, Map<string, Map<string, string>>>} */
export function readPage() {
  const sections = readFileSync(PAGE, 'utf8').split(/^## /m).slice(1)
  return new Map(sections.map((text) => [text.slice(0, text.indexOf('\n')), readTable(text)]))
}

/** @param {string} section @returns {Map<string, Map<string, string>>} */
function readTable(section) {
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  const [header = [], , ...rows] = lines.map((line) => line.slice(2, -2).split(' | '))
  const columns = header.slice(1).map((column) => column.replaceAll('<br>', ' '))
  return new Map(
    rows.map(([shape = '', ...cells]) => [shape, new Map(columns.map((column, i) => [column, cells[i] ?? '']))]),
  )
}

/** @param {readonly Result[]} results @param {Date} at */
function page(results, at) {
  const reasons = limitations()
  const all = results.flatMap(({ rows }) => rows)
  const count = (/** @type {Row['outcome']} */ wanted) => all.filter(({ outcome }) => outcome === wanted).length
  const nodes = [...new Set(results.map(({ node }) => node))].join(', ')
  const failures = results.flatMap((result) =>
    result.rows.flatMap(({ shape, outcome, reason }) =>
      outcome === 'failed' ? [`* ${result.package} ${columnOf(result)}, ${shape}: ${reason}`] : [],
    ),
  )
  return `# Compatibility

A call of a patched SDK gives the caller what the unpatched SDK gives, the provider what the unpatched SDK sends, and the
meter one event with the numbers of the provider's bill. This page is the proof of that sentence, written by
\`node scripts/compatibility.mjs\`; \`npm test\` plays every row again under the Node it runs on.

Each row is a way to call, a small function in \`test/shapes\`, played against the provider emulator: once with the SDK as
it is and once patched, in the same process. Compared are

* everything that the caller sees: results, chunk by chunk and object by object, with their classes, the order of their
  keys, hidden properties, errors, headers, what \`console.log\` prints of a Response;
* every request that the provider receives, but for the \`stream_options.include_usage\` that the meter adds, and whether
  the caller hung up;
* the events with the emulator's bill: model, tokens and cost to the last digit where usage was reported; where a stream
  broke off, a labelled estimate whose bounds hold what was billed; every attempt with its status and request id;
* what is left afterwards: no open call, no money held.

Each is played a third time for a tenant whose limit is $0: nothing is sent, and the error is a \`LimitExceededError\` and
an \`APIError\` of that very SDK copy with status 402. \`ok\` means that all of this held. Requests are frozen objects
throughout. The rows that begin with "common shapes" play the most usual shapes once more for one way to patch.

Played on ${at.toISOString().slice(0, 10)} under Node ${nodes}: ${count('ok')} ok, ${count('failed')} failed, ${count('limitation')} limited.
${failures.length > 0 ? `\n${failures.join('\n')}\n` : ''}
Limitations:

${reasons.map((reason, i) => `${i + 1}. ${reason}`).join('\n')}

${SDKS.map((sdk) =>
  section(
    results.filter((result) => result.sdk === sdk),
    reasons,
  ),
).join('\n')}`
}

/** @param {readonly Result[]} results @param {readonly string[]} reasons */
function section(results, reasons) {
  const columns = results.map(columnOf)
  const header = columns.map((column) => column.replace(/^(\S+) (\S+) (.+)$/, '$1<br>$2<br>$3'))
  const rows = [...tableOf(results, reasons)].map(
    ([shape, cells]) => `| ${shape} | ${columns.map((column) => cells.get(column) ?? 'not played').join(' | ')} |`,
  )
  return `## ${results[0]?.package}

| Shape | ${header.join(' | ')} |
| --- | ${columns.map(() => '---').join(' | ')} |
${rows.join('\n')}
`
}

/** @param {string} major */
function binaryOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  return join(root, 'tools/matrix/node_modules', `node-${major}`, 'bin/node')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const missing = NODES.filter((major) => !existsSync(binaryOf(major)))
  if (missing.length > 0) throw new Error(`Node ${missing.join(', ')} is not here: \`npm run matrix\` brings it.`)
  /** @type {Result[]} */
  const results = []
  for (const major of NODES) {
    const played = await playAll(binaryOf(major))
    results.push(...played)
    const failed = played.flatMap(({ rows }) => rows).filter(({ outcome }) => outcome === 'failed').length
    console.log(`Node ${played[0]?.node}: ${failed === 0 ? 'every shape is ok' : `${failed} failed`}`)
    if (failed > 0) process.exitCode = 1
  }
  const order = (/** @type {Result} */ { version, format }) => `${version.padStart(9)} ${format === 'esm' ? 0 : 1}`
  results.sort((a, b) => order(a).localeCompare(order(b)) || Number.parseInt(a.node, 10) - Number.parseInt(b.node, 10))
  writeFileSync(PAGE, page(results, new Date()))
}
