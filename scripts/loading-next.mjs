// @ts-check
// The Next.js application of tools/next: built with each bundler, with and without external packages, started and called.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './entries.mjs'
import { pack } from './packed.mjs'

const app = join(root, 'tools/next')
const EXTERNAL = 'openai,tallygate'

/**
 * @typedef {import('./loading-apps.mjs').How} How
 * @typedef {import('./loading-apps.mjs').Played} Played
 * @typedef {{ title: string, bundler: 'turbopack' | 'webpack', isExternal: boolean }} NextSetup
 */

/** @type {readonly NextSetup[]} */
export const NEXT_SETUPS = /** @type {const} */ (['turbopack', 'webpack']).flatMap((bundler) =>
  [false, true].map((isExternal) => ({
    title: `Next.js, ${bundler === 'webpack' ? 'webpack' : 'Turbopack'}${isExternal ? ', with `serverExternalPackages`' : ''}`,
    bundler,
    isExternal,
  })),
)

export function nextVersion() {
  return JSON.parse(readFileSync(join(app, 'node_modules/next/package.json'), 'utf8')).version
}

/** Brings Next.js and this package into tools/next; throws where one of them cannot be had. */
export function installNext() {
  // Not `npm ci`: the lock has only those binaries of Next.js that the place it was made in could get.
  if (!existsSync(join(app, 'node_modules/next')))
    execFileSync('npm', ['install', '--no-workspaces', '--no-audit', '--no-fund'], { cwd: app, stdio: 'inherit' })
  const packed = pack()
  try {
    const folder = join(app, 'node_modules/tallygate')
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    execFileSync('tar', ['-xzf', packed.tarball, '--strip-components=1', '-C', folder])
  } finally {
    packed[Symbol.dispose]()
  }
}

/** @param {NextSetup} setup @param {NodeJS.ProcessEnv} extra @returns {NodeJS.ProcessEnv} */
function environment({ bundler, isExternal }, extra) {
  const { PATH, HOME, TMPDIR } = process.env
  return {
    PATH,
    HOME,
    TMPDIR,
    NEXT_TELEMETRY_DISABLED: '1',
    DIST_DIR: `dist/${bundler}${isExternal ? '-external' : ''}`,
    ...(isExternal && { EXTERNAL }),
    ...extra,
  }
}

const next = join(app, 'node_modules/next/dist/bin/next')

/** @param {NextSetup} setup */
export function buildNext(setup) {
  const args = [next, 'build', setup.bundler === 'webpack' ? '--webpack' : '--turbopack']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: app,
    encoding: 'utf8',
    env: environment(setup, { NODE_ENV: 'production' }),
  })
  if (status !== 0) throw new Error(`${setup.title} could not be built:\n${stdout}${stderr}`)
}

/**
 * @param {NextSetup} setup @param {How} how
 * @param {import('tallygate/emulator').Emulator} emulator
 * @returns {Promise<Played>}
 */
export async function playNext(setup, how, { openai, hosts }) {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-next-'))
  const port = await freePort()
  const child = spawn(process.execPath, [next, 'start', '-p', String(port)], {
    cwd: app,
    env: environment(setup, {
      HOW: how,
      LLM_URL: openai.baseURL,
      TALLYGATE_DIR: folder,
      TALLYGATE_HOSTS: Object.entries(hosts)
        .map((entry) => entry.join('='))
        .join(','),
      TALLYGATE_ON_MISSING_TENANT: 'record',
      ...(how === 'register' && { NODE_OPTIONS: '--import tallygate/register' }),
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  /** @type {Promise<void>} */
  const ready = new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        printed += text
        if (/Ready in/.test(printed)) resolve()
      })
    child.once('error', reject)
    child.once('close', (code) => reject(new Error(`${setup.title}, ${how}, ended with ${code}:\n${printed}`)))
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  try {
    await ready
    const response = await fetch(`http://127.0.0.1:${port}/api/chat`)
    if (!response.ok) throw new Error(`${setup.title}, ${how}, answered ${response.status}:\n${printed}`)
    /** @type {{ calls: number, coverage: Record<string, { seen: number, metered: number }>, said: string[] }} */
    const { calls, coverage, said } = await response.json()
    const isMetered = calls === 1
    const counts = Object.values(coverage)[0] ?? { seen: 0, metered: 0 }
    if (counts.seen !== 1 || counts.metered !== calls)
      throw new Error(`${setup.title}, ${how}: ${calls} calls, ${JSON.stringify(coverage)}`)
    return { metered: { openai: isMetered }, isSaid: said.some((it) => it.includes('past the meter')) === !isMetered }
  } finally {
    child.kill('SIGKILL')
    await closed
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
