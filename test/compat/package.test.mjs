// The installed package under one Node: no build step, no test framework, nothing but what npm put there.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
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

const NO_SDKS = !SDKS_OF && 'it needs SDKs: see scripts/compat.mjs'
const NO_LEDGER = !isBuiltin('node:sqlite') && 'this Node has no node:sqlite, or not without a flag'

/** What the command prints; throws for an exit code other than 0. */
function tallygate(...args) {
  return execFileSync(process.execPath, [join(home, bin.tallygate), ...args], {
    cwd: SDKS_OF,
    encoding: 'utf8',
    timeout: 120_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function temporaryFolder(name) {
  const path = mkdtempSync(join(tmpdir(), `tallygate-${name}-`))
  return [path, () => rmSync(path, { recursive: true, force: true })]
}

test('the demo runs, and agrees with the bill', { skip: NO_SDKS }, () => {
  const [folder, remove] = temporaryFolder('demo')
  try {
    // A bill that says something else gives another exit code than 0.
    const shown = tallygate('demo', '--dir', folder)
    for (const sdk of ['openai', '@anthropic-ai/sdk', '@google/genai']) assert.match(shown, new RegExp(sdk))
    assert.doesNotMatch(shown, /is not here/)
  } finally {
    remove()
  }
})

test('every command that reads or writes a ledger does', { skip: NO_SDKS || NO_LEDGER }, () => {
  const [folder, remove] = temporaryFolder('commands')
  try {
    tallygate('demo', '--dir', folder)
    const dir = ['--dir', join(folder, 'demo')]
    const month = new Date().toISOString().slice(0, 7)
    const { rows } = JSON.parse(tallygate('report', '--by', 'tenant,model', '--json', ...dir))
    assert.equal(rows.length, 3, JSON.stringify(rows))
    for (const [args, shown] of [
      [['report', '--by', 'day,feature', '--since', '7d'], /total/],
      [['limits', 'list'], /harbor-books/],
      [['limits', 'refused'], /harbor-books/],
      [['limits', 'set', 'acme', '--usd', '5'], /5/],
      [['invoice', '--tenant', 'harbor-books', '--month', month], /harbor-books/],
      [['export', '--format', 'jsonl'], /event_id/],
      [['export', '--format', 'focus'], /BilledCost/],
      [['reprice', '--since', `${month}-01`], /changed/i],
      [['migrate'], /up to date/],
      [['drain'], /Nothing is left/],
      [['doctor'], /ledger/],
    ])
      assert.match(tallygate(...args, ...dir), shown, args.join(' '))
    assert.match(tallygate('reconcile', '--demo'), /(\d+) of \1 faults found, 0 invented/)
    assert.match(tallygate('forget', '--tenant', 'harbor-books', '--yes', ...dir), /harbor-books/)
  } finally {
    remove()
  }
})

test('a server tells what is in its ledger', { skip: NO_SDKS || NO_LEDGER }, async () => {
  const [folder, remove] = temporaryFolder('server')
  const env = { ...process.env, TALLYGATE_API_KEY: 'a-key-of-sixteen' }
  tallygate('demo', '--dir', folder)
  const args = [join(home, bin.tallygate), 'serve', '--port', '0', '--dir', join(folder, 'demo')]
  const server = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    let said = ''
    while (!/http:\S+\s/.test(said)) said += (await once(server.stdout, 'data'))[0]
    const [url] = /http:\/\/[\w.:]+/.exec(said)
    for (const path of [
      'totals?by=tenant',
      'series?every=hour',
      'summary',
      'percentiles?of=cost',
      'events',
      'limits',
    ]) {
      const answer = await fetch(`${url}/v1/${path}`, { headers: { authorization: 'Bearer a-key-of-sixteen' } })
      const text = await answer.text()
      assert.equal(answer.status, 200, `${path}: ${text}`)
      if (path === 'totals?by=tenant') assert.match(text, /harbor-books/)
    }
  } finally {
    server.kill()
    await once(server, 'exit')
    remove()
  }
})
