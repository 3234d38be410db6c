// @ts-check
// Fails where a lock file lacks a platform's optional dependency, or names the host that a package came from.
// `npm install` writes such a lock without a word, and `npm ci` stops on it on another machine.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './entries.mjs'

export const LOCKS = ['package-lock.json', 'tools/exits/package-lock.json', 'tools/matrix/package-lock.json'].map(
  (file) => join(root, file),
)

/** @param {string} file @returns {string[]} one sentence for each fault */
export function lockFaults(file) {
  /** @type {{ packages: Record<string, { resolved?: string, link?: boolean, optionalDependencies?: object }> }} */
  const { packages } = JSON.parse(readFileSync(file, 'utf8'))
  const faults = []
  for (const [path, { resolved, link, optionalDependencies }] of Object.entries(packages)) {
    if (resolved && !link) faults.push(`${path} has a host: ${resolved}`)
    for (const name of Object.keys(optionalDependencies ?? {}))
      if (!isLocked(packages, path, name)) faults.push(`${path || 'the root'} needs ${name}, which is not locked`)
  }
  return faults
}

/** Walks up as Node does: the nearest `node_modules` that has it counts. @param {object} packages @param {string} from @param {string} name */
function isLocked(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (`${at ? `${at}/` : ''}node_modules/${name}` in packages) return true
    if (!at) return false
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of LOCKS) {
    const faults = lockFaults(file)
    console.log(`${relative(root, file)}: ${faults.length ? faults.join('\n  ') : 'complete'}`)
    if (faults.length) process.exitCode = 1
  }
}
