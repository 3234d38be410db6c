// @ts-check
// The database servers and the browser that tests and benchmarks start for themselves: found, or installed where that is
// possible unasked.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAMS = { postgres: 'postgresql', initdb: 'postgresql', 'redis-server': 'redis-server' }
/** Without one, the tests of the dashboard are passed over. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
const MAC_BROWSER = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

/** @param {string} name @returns {string} Its path. Throws one sentence where there is none. */
export function findProgram(name) {
  const found = searched(name)
  if (found === undefined) throw new Error(`There is no \`${name}\` on this machine. ${advice()}`)
  return found
}

/** @returns {string | undefined} The path of a Chromium. */
export function findBrowser() {
  const named = process.env.CHROMIUM_PATH
  if (named) return named
  const found = BROWSERS.map(searched).find((path) => path !== undefined)
  return found ?? (existsSync(MAC_BROWSER) ? MAC_BROWSER : undefined)
}

/** @param {string} name @returns {string | undefined} */
function searched(name) {
  // Debian keeps PostgreSQL's programs, one folder a version, out of the way.
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

function missing() {
  return [...new Set(Object.entries(PROGRAMS).flatMap(([name, pack]) => (searched(name) ? [] : pack)))]
}

function advice() {
  return process.platform === 'darwin'
    ? 'To install what the tests start: brew install postgresql redis'
    : 'To install what the tests start: sudo apt-get install -y --no-install-recommends postgresql redis-server'
}

function install() {
  const needed = missing()
  const packages = findBrowser() === undefined ? [...needed, 'chromium'] : needed
  if (packages.length === 0) return
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    if (needed.length === 0) return
    console.error(`The tests of limit stores need ${needed.join(' and ')}. ${advice()}`)
    process.exitCode = 1
    return
  }
  // Debian starts the servers that it installs, unless a policy forbids it: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const flags = ['install', '-y', '--no-install-recommends', ...packages]
  for (const args of [['update'], flags]) spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'inherit' })
  if (missing().length > 0) throw new Error(`${missing().join(' and ')} could not be installed. ${advice()}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    install()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
