// @ts-check
// Plays every call shape with every SDK, version, module system and Node, and writes docs/compatibility.md.
// `npm run test:matrix` brings the Nodes of tools/matrix and the older SDKs of tools/sdks, and runs this.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'
import { canBeRequired, olderApps, WORKSPACE_APPS } from './sdk-apps.mjs'

/**
 * @typedef {{ shape: string, outcome: 'ok' | 'failed' | 'limitation', reason?: string }} Row
 * @typedef {{ sdk: string, package: string, version: string, format: 'esm' | 'cjs', node: string, rows: Row[] }} Result
 */

export const PAGE = join(root, 'docs/compatibility.md')
const NODES = ['20', '22', '24', '26']
const SDKS = ['openai', 'anthropic', 'google']
const FORMATS = /** @type {const} */ (['esm', 'cjs'])

/** @typedef {import('./sdk-apps.mjs').App & { format: 'esm' | 'cjs' }} Combination */

/** @param {readonly import('./sdk-apps.mjs').App[]} apps @returns {readonly Combination[]} */
const inFormats = (apps) => apps.flatMap((app) => FORMATS.map((format) => ({ ...app, format })))

/** The SDKs of the workspace; `npm test` plays each in one of its module systems. */
export const COMBINATIONS = inFormats(WORKSPACE_APPS)

/** Every combination under one Node. @param {string} node @param {readonly Combination[]} [combinations] @returns {Promise<Result[]>} */
export async function playAll(node, combinations = COMBINATIONS) {
  buildIfStale()
  const waiting = [...combinations.filter((one) => one.format === 'esm' || canBeRequired(node, one)).entries()]
  /** @type {Result[]} */
  const results = []
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await play(node, next[1])
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

/** @param {string} node @param {Combination} combination @returns {Promise<Result>} */
function play(node, { sdk, app, folder, format }) {
  // The folder is where an application would stand: `patchAll()` looks for the SDKs from there.
  const shapes = folder.includes('tools/sdks') ? 'older' : 'all'
  const args = ['--expose-gc', join(root, 'test/shapes/run.mjs'), sdk, format, folder, join(root, 'dist'), shapes]
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
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

/** @param {Pick<Result, 'format' | 'node'>} result */
export function columnOf({ format, node }) {
  return `${format.toUpperCase()} Node ${node.split('.')[0]}`
}

/** @param {Pick<Result, 'package' | 'version'>} result */
export function titleOf({ package: name, version }) {
  return `${name} ${version}`
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

/** What the older versions lack: they are played with the shapes of the newest. */
const LACKING = 'Not in this version.'

/** A version that was not played in a module system: see `canBeRequired`. */
const UNLOADABLE = 'cannot be loaded, patched or not'

/** The limitations that the suite allows, in the order of their numbers. @returns {string[]} */
export function limitations() {
  const file = join(root, 'test/shapes/limitations.json')
  const own = JSON.parse(readFileSync(file, 'utf8')).map((/** @type {{ reason: string }} */ { reason }) => reason)
  return [...own, LACKING]
}

/** The tables of the page: by SDK and version, by shape, by column. @returns {Map<string, Map<string, Map<string, string>>>} */
export function readPage() {
  const sections = readFileSync(PAGE, 'utf8').split(/^## /m).slice(1)
  return new Map(sections.slice(1).map((text) => [text.slice(0, text.indexOf('\n')), readTable(text)]))
}

/** @param {string} section @returns {Map<string, Map<string, string>>} */
function readTable(section) {
  const lines = section.split('\n').filter((line) => line.startsWith('| '))
  const [header = [], , ...rows] = lines.map((line) => line.slice(2, -2).split(' | '))
  const columns = header.slice(1)
  return new Map(
    rows.map(([shape = '', ...cells]) => [shape, new Map(columns.map((column, i) => [column, cells[i] ?? '']))]),
  )
}

/** @param {readonly Result[]} results @param {Date} at */
function page(results, at) {
  const reasons = limitations()
  const all = results.flatMap(({ rows }) => rows)
  const nodes = [...new Set(results.map(({ node }) => node))].join(', ')
  const failures = failuresOf(results)
  const titles = [...new Set(results.map(titleOf))]
  return `# Compatibility

A call of a patched SDK gives the caller what the unpatched SDK gives, the provider what the unpatched SDK sends, and the
meter one event with the numbers of the provider's bill. This page is the proof of that sentence, written by
\`npm run test:matrix\`; \`npm test\` plays the rows of openai 6.49 and 7.57, @anthropic-ai/sdk 0.137 and 1.12, @google/genai
2.32 and 3.1 again under the Node it runs on, each in one of the two module systems.

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

A version that lacks what a shape calls (a helper, a surface, a class of bodies) fails in the unpatched run too: such a row
is limited, not failed, and says so.

Played on ${at.toISOString().slice(0, 10)} under Node ${nodes}: ${tally(all)}.
${failures.length > 0 ? `\n${failures.join('\n')}\n` : ''}
Limitations:

${reasons.map((reason, i) => `${i + 1}. ${reason}`).join('\n')}

## Summary

${summary(results, titles)}
${titles
  .map((title) =>
    section(
      title,
      results.filter((result) => titleOf(result) === title),
      reasons,
    ),
  )
  .join('\n')}`
}

/** @param {readonly Result[]} results @returns {string[]} a line each */
function failuresOf(results) {
  return results.flatMap((result) =>
    result.rows.flatMap(({ shape, outcome, reason }) =>
      outcome === 'failed' ? [`* ${titleOf(result)} ${columnOf(result)}, ${shape}: ${reason}`] : [],
    ),
  )
}

/** @param {readonly Row[]} rows */
function tally(rows) {
  const count = (/** @type {Row['outcome']} */ wanted) => rows.filter(({ outcome }) => outcome === wanted).length
  const [ok, failed, limited] = [count('ok'), count('failed'), count('limitation')]
  return `${ok} ok${failed > 0 ? `, ${failed} failed` : ''}${limited > 0 ? `, ${limited} limited` : ''}`
}

/** @param {readonly Result[]} results @param {readonly string[]} titles */
function summary(results, titles) {
  const columns = [...new Set(results.map(columnOf))]
  const lines = titles.map((title) => {
    const cells = columns.map((column) => {
      const result = results.find((one) => titleOf(one) === title && columnOf(one) === column)
      return result ? tally(result.rows) : UNLOADABLE
    })
    return `| ${title} | ${cells.join(' | ')} |`
  })
  return `| SDK | ${columns.join(' | ')} |
| --- | ${columns.map(() => '---').join(' | ')} |
${lines.join('\n')}
`
}

/** @param {string} title @param {readonly Result[]} results @param {readonly string[]} reasons */
function section(title, results, reasons) {
  const columns = results.map(columnOf)
  const rows = [...tableOf(results, reasons)].map(
    ([shape, cells]) => `| ${shape} | ${columns.map((column) => cells.get(column) ?? 'not played').join(' | ')} |`,
  )
  return `## ${title}

| Shape | ${columns.join(' | ')} |
| --- | ${columns.map(() => '---').join(' | ')} |
${rows.join('\n')}
`
}

/** @param {string} major */
function binaryOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath
  return join(root, 'tools/matrix/node_modules', `node-${major}`, 'bin/node')
}

/** What was played, a file a Node: the whole takes an hour and more, and may be played one Node at a time. */
const RESULTS = join(root, 'tools/sdks/results')

/** @param {string} major @param {readonly Result[]} played */
function keep(major, played) {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, `${major}.json`), JSON.stringify({ at: new Date(), played }))
}

/** @returns {{ at: Date, results: Result[] }} of every Node, and when the first of them was played */
function kept() {
  const files = NODES.map((major) => JSON.parse(readFileSync(join(RESULTS, `${major}.json`), 'utf8')))
  const at = Math.min(...files.map((file) => Date.parse(file.at)))
  return { at: new Date(at), results: files.flatMap(({ played }) => played) }
}

/** @param {Result} result */
function rank({ sdk, version, format, node }) {
  return [SDKS.indexOf(sdk), ...version.split('.').map(Number), format === 'esm' ? 0 : 1, Number.parseInt(node, 10)]
    .map((part) => String(part).padStart(6, '0'))
    .join()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // `--newest`: only the versions that `npm test` plays, in five minutes. `--node=20`: one of the Nodes, now.
  const one = process.argv.find((word) => word.startsWith('--node='))?.slice('--node='.length)
  const majors = one === undefined ? NODES : [one]
  const missing = majors.filter((major) => !existsSync(binaryOf(major)))
  if (missing.length > 0) throw new Error(`Node ${missing.join(', ')} is not here: \`npm run test:matrix\` brings it.`)
  const combinations = process.argv.includes('--newest') ? COMBINATIONS : [...COMBINATIONS, ...inFormats(olderApps())]
  for (const major of majors) {
    const played = await playAll(binaryOf(major), combinations)
    keep(major, played)
    console.log(`Node ${played[0]?.node}: ${tally(played.flatMap(({ rows }) => rows))}`)
    for (const failure of failuresOf(played)) {
      console.log(failure)
      process.exitCode = 1
    }
  }
  const unplayed = NODES.filter((major) => !existsSync(join(RESULTS, `${major}.json`)))
  if (unplayed.length > 0) console.log(`Node ${unplayed.join(', ')} was not played yet: the page waits for it.`)
  else {
    const { at, results } = kept()
    writeFileSync(
      PAGE,
      page(
        results.sort((a, b) => rank(a).localeCompare(rank(b))),
        at,
      ),
    )
  }
}
