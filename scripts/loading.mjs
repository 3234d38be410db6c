// @ts-check
// Plays every way of loading under every Node that is here, and writes the table of docs/loading.md: `npm run test:loading`.
// The Nodes are those of tools/matrix, which `npm run matrix` brings; `-- --no-next` leaves out Next.js, which takes minutes.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'
import { appFolder, HOWS, PACKAGES, play, SETUPS, write } from './loading-apps.mjs'
import { buildNext, installNext, NEXT_SETUPS, nextVersion, playNext } from './loading-next.mjs'

const PAGE = join(root, 'docs/loading.md')
const TABLE = /(<!-- What follows is written by `npm run test:loading`\. -->\n)[\s\S]*?(<!-- Until here\. -->)/
const HEADINGS = {
  patchAll: '`patchAll()`',
  sdks: 'the same, without `fetch`',
  modules: '`patch(name, { modules })`',
  register: '`--import tallygate/register`',
}

/** @typedef {import('./loading-apps.mjs').Played} Played @typedef {{ title: string, cells: Record<string, string> }} Row */

/** @returns {string[]} Their binaries: the one this runs under, and those of tools/matrix. */
function nodes() {
  const others = ['20', '22', '26'].map((major) => join(root, `tools/matrix/node_modules/node-${major}/bin/node`))
  return [process.execPath, ...others.filter((file) => existsSync(file))]
}

/** @param {string} node */
const versionOf = (node) => execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()

/** @param {Played} played */
function inWords({ metered, isSaid }) {
  const missed = Object.keys(metered).filter((sdk) => !metered[sdk])
  const word =
    missed.length === 0 ? 'yes' : missed.length === Object.keys(metered).length ? 'no' : `not ${missed.join(', ')}`
  return isSaid ? word : `${word}, and it does not say so`
}

/** The same word from every Node, or each with its own. @param {Map<string, string>} words by Node */
function cellOf(words) {
  const [first = '', ...others] = new Set(words.values())
  if (others.length === 0) return first
  return [...words].map(([node, word]) => `${word} (Node ${node.split('.')[0]})`).join(', ')
}

/** @param {import('tallygate/emulator').Emulator} emulator @param {readonly string[]} binaries @returns {Promise<Row[]>} */
async function playSetups(emulator, binaries) {
  const app = appFolder()
  const rows = SETUPS.map(({ title }) => ({ title, cells: /** @type {Record<string, string>} */ ({}) }))
  const waiting = SETUPS.flatMap((setup, i) => HOWS.map((how) => ({ setup, how, row: rows[i] })))
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { setup, how, row } = next
      const file = await write(app.folder, setup, how)
      const words = new Map()
      for (const node of binaries)
        words.set(versionOf(node), inWords(await play(file, how, { ...app, emulator, node })))
      if (row) row.cells[how] = cellOf(words)
      console.log(`${setup.title}, ${HEADINGS[how]}: ${cellOf(words)}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, work))
    return rows
  } finally {
    app[Symbol.dispose]()
  }
}

/** @param {import('tallygate/emulator').Emulator} emulator @returns {Promise<Row[]>} */
async function playNextSetups(emulator) {
  installNext()
  const rows = []
  for (const setup of NEXT_SETUPS) {
    buildNext(setup)
    /** @type {Record<string, string>} */
    const cells = {}
    for (const how of HOWS) {
      cells[how] = inWords(await playNext(setup, how, emulator))
      console.log(`${setup.title}, ${HEADINGS[how]}: ${cells[how]}`)
    }
    rows.push({ title: setup.title, cells })
  }
  return rows
}

/** @param {readonly Row[]} rows @param {string} played */
function tableOf(rows, played) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`
  return [
    played,
    '',
    line(['Set-up', ...HOWS.map((how) => HEADINGS[how])]),
    line(['---', ...HOWS.map(() => '---')]),
    ...rows.map(({ title, cells }) => line([title, ...HOWS.map((how) => cells[how] ?? '')])),
    '',
  ].join('\n')
}

buildIfStale()
const isNextWanted = !process.argv.includes('--no-next')
const { startEmulator } = await import('tallygate/emulator')
const emulator = await startEmulator()
try {
  const binaries = nodes()
  const rows = await playSetups(emulator, binaries)
  if (isNextWanted) rows.push(...(await playNextSetups(emulator)))
  const require = createRequire(import.meta.url)
  const at = (/** @type {string} */ name) =>
    JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
  const used = [
    `Node ${binaries.map(versionOf).sort().join(', ')}`,
    ...Object.values(PACKAGES).map((name) => `${name} ${at(name)}`),
    `esbuild ${require('esbuild/package.json').version}`,
    ...(isNextWanted ? [`Next.js ${nextVersion()} (openai ${nextSdk()}) under Node ${process.versions.node}`] : []),
  ]
  const played = `Played on ${new Date().toISOString().slice(0, 10)} with ${used.join(', ')}. Wherever it says \`no\`, the process itself said that a call went past the meter.`
  if (isNextWanted)
    writeFileSync(
      PAGE,
      readFileSync(PAGE, 'utf8').replace(TABLE, (_, begin, end) => `${begin}\n${tableOf(rows, played)}\n${end}`),
    )
  if (rows.some(({ cells }) => Object.values(cells).some((cell) => cell.includes('does not say so'))))
    process.exitCode = 1
} finally {
  await emulator.close()
}

function nextSdk() {
  return JSON.parse(readFileSync(join(root, 'tools/next/node_modules/openai/package.json'), 'utf8')).version
}
