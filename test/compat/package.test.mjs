// The installed package under one Node: no build step, no test framework, nothing but what npm put there.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const manifestFile = require.resolve('tallygate/package.json')
const { bin, exports } = JSON.parse(readFileSync(manifestFile, 'utf8'))
const home = dirname(manifestFile)

/** `tallygate`, `tallygate/sinks`, ...: everything that is a module. */
const names = Object.keys(exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => `tallygate${path.slice(1)}`)

/** Their business is to listen; importing `node:http` makes Node load much of its own, undici and http2 included. */
const SERVERS = ['tallygate/emulator', 'tallygate/server']

/** Built-ins that cost memory or a warning, or that some Nodes do not have: for a meter's first use, not for its import. */
const LATER = ['sqlite', 'internal/deps/undici/undici', 'http2', 'inspector', 'worker_threads']

for (const name of names) {
  test(`${name} is one module, imported and required`, async () => {
    const imported = await import(name)
    assert.ok(Object.keys(imported).length > 0)
    assert.equal(require(name), imported)
  })

  test(`${name} is the same for a Node that cannot require ES modules`, async () => {
    const imported = await import(name)
    const keys = `Object.keys(require(${JSON.stringify(name)})).filter((key) => key !== '__esModule')`
    const code = `process.stdout.write(JSON.stringify(${keys}))`
    const text = execFileSync(process.execPath, ['--no-experimental-require-module', '-e', code], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    assert.deepEqual(
      JSON.parse(text).sort(),
      Object.keys(imported)
        .filter((key) => key !== 'module.exports')
        .sort(),
    )
  })
}

test('the two builds know each other: an error of one is an error of the other', async () => {
  const esm = await import('tallygate')
  const cjs = require(join(home, 'dist/index.cjs'))
  assert.notEqual(cjs.LimitExceededError, esm.LimitExceededError)
  const refusal = {
    tenantId: 'acme',
    limitUsd: '50',
    spentUsd: '50',
    heldUsd: '0',
    window: 'month',
    scope: 'tenant',
    resetsAt: new Date('2026-12-01T00:00:00Z'),
  }
  assert.ok(new cjs.LimitExceededError(refusal) instanceof esm.LimitExceededError)
  assert.ok(new esm.LimitExceededError(refusal) instanceof cjs.MeterError)
})

test('everything loads with no dependency and no SDK in reach, so none is loaded at import', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-alone-'))
  try {
    cpSync(home, join(folder, 'node_modules/tallygate'), { recursive: true })
    const asModule = ['--input-type=module', '-e']
    const asScript = ['--no-experimental-require-module', '-e']
    for (const name of names) {
      const ground = SERVERS.includes(name) ? 'node:http' : 'node:path'
      const before = builtinsAfter(folder, ...asModule, `await import('${ground}')`)
      for (const [load, ...args] of [
        [`await import('${name}')`, ...asModule],
        [`require('${name}')`, ...asScript],
      ]) {
        const added = builtinsAfter(folder, ...args, load).filter((builtin) => !before.includes(builtin))
        assert.deepEqual(
          added.filter((builtin) => LATER.includes(builtin) && !isOfHooks(name, builtin)),
          [],
          load,
        )
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Before `module.registerHooks`, what watches modules load runs on a thread of its own. */
function isOfHooks(name, builtin) {
  return name === 'tallygate/register' && builtin === 'worker_threads' && !require('node:module').registerHooks
}

/** The built-ins that a Node has loaded when it has run `code`, the last argument. */
function builtinsAfter(cwd, ...args) {
  const code = `${args.pop()}; process.stdout.write(JSON.stringify(process.moduleLoadList))`
  const loaded = JSON.parse(execFileSync(process.execPath, [...args, code], { cwd, encoding: 'utf8' }))
  return loaded.flatMap((entry) => (entry.startsWith('NativeModule ') ? [entry.slice('NativeModule '.length)] : []))
}

test('the command runs', () => {
  const command = join(home, bin.tallygate)
  assert.match(execFileSync(process.execPath, [command, '--help'], { encoding: 'utf8' }), /tallygate/)
})

const { SDKS_OF } = process.env

test('the demo runs, and agrees with the bill', { skip: !SDKS_OF && 'it needs SDKs: see scripts/compat.mjs' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-demo-'))
  try {
    // Throws for an exit code other than 0, which a bill that says something else gives.
    const shown = execFileSync(process.execPath, [join(home, bin.tallygate), 'demo', '--dir', folder], {
      cwd: SDKS_OF,
      encoding: 'utf8',
      timeout: 30_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const sdk of ['openai', '@anthropic-ai/sdk', '@google/genai']) assert.match(shown, new RegExp(sdk))
    assert.doesNotMatch(shown, /is not here/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
