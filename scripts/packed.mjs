// @ts-check
// The package as npm would publish it, installed into a fresh folder: what the checks of the tarball start from.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './entries.mjs'

/** @returns {{ tarball: string, [Symbol.dispose](): void }} */
export function pack() {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-pack-'))
  const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { tarball: join(folder, name.trim().split('\n').at(-1) ?? ''), [Symbol.dispose]: () => remove(folder) }
}

/** @param {string} tarball @returns {{ folder: string, [Symbol.dispose](): void }} */
export function install(tarball) {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-app-'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }))
  execFileSync('npm', ['install', '--silent', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return { folder, [Symbol.dispose]: () => remove(folder) }
}

/** @param {string} folder */
function remove(folder) {
  rmSync(folder, { recursive: true, force: true })
}
