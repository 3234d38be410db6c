// @ts-check
// The applications that the matrix plays the call shapes in: one an SDK version, each a folder from which `require` finds it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './entries.mjs'

/** @typedef {{ sdk: string, app: string, folder: string }} App */

const PACKAGES = { openai: 'openai', anthropic: '@anthropic-ai/sdk', genai: '@google/genai' }
const NAMES = { openai: 'openai', anthropic: 'anthropic', genai: 'google' }
const sdks = join(root, 'tools/sdks')

/** The two of the workspace, which `npm test` plays too. @type {readonly App[]} */
export const WORKSPACE_APPS = ['openai', 'anthropic', 'google'].flatMap((sdk) =>
  ['current', 'next'].map((app) => ({ sdk, app, folder: join(root, 'test/apps', app) })),
)

/** One for each older version in `tools/sdks`, which must be installed; made anew in each run. @returns {readonly App[]} */
export function olderApps() {
  const modules = join(sdks, 'node_modules')
  if (!existsSync(modules)) throw new Error('The older SDKs are not here: `npm run test:matrix` brings them.')
  rmSync(join(sdks, 'apps'), { recursive: true, force: true })
  const aliases = readdirSync(modules).filter((name) => /^(openai|anthropic|genai)-\d/.test(name))
  return aliases.map((alias) => {
    const kind = /** @type {keyof typeof PACKAGES} */ (alias.slice(0, alias.indexOf('-')))
    const folder = join(sdks, 'apps', alias)
    link(join(modules, alias), join(folder, 'node_modules', PACKAGES[kind]))
    // Before its helpers took zod 4, an SDK needs the 3 that it names as its peer.
    const { peerDependencies = {} } = JSON.parse(readFileSync(join(modules, alias, 'package.json'), 'utf8'))
    const zod = /\^4/.test(peerDependencies.zod ?? '') ? 'zod-4' : 'zod-3'
    link(join(modules, zod), join(folder, 'node_modules/zod'))
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    return { sdk: NAMES[kind], app: alias, folder }
  })
}

/** @param {string} target @param {string} path */
function link(target, path) {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path, 'dir')
}

/** @google/genai 1.0 has its CommonJS in a `.js` file of a package of ES modules, which nobody can require. @param {string} node @param {App} app */
export function canBeRequired(node, { sdk, folder }) {
  const name = { openai: 'openai', anthropic: '@anthropic-ai/sdk', google: '@google/genai' }[sdk]
  // Run as ES module, it exports nothing.
  const code = `process.exitCode = Object.keys(require('${name}')).length > 0 ? 0 : 1`
  return spawnSync(node, ['-e', code], { cwd: folder, stdio: 'ignore' }).status === 0
}
