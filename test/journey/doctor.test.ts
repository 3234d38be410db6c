// `tallygate doctor`: what an application's SDKs are, which of them are reached, and what to do, on one screen.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { DoctorReport } from 'tallygate'
import { expect, onTestFinished, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { run } from '../support/command-line.ts'

/** An application of this repository's SDKs and `files` of its own. */
function appWith(files: Readonly<Record<string, string>> = {}): string {
  const parent = realpathSync(mkdtempSync(join(tmpdir(), 'tallygate-doctor-')))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  symlinkSync(join(root, 'node_modules'), join(parent, 'node_modules'))
  const folder = join(parent, 'app')
  for (const [name, text] of Object.entries({ 'package.json': '{}', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

test('shows every copy in one table that fits 80 columns', async () => {
  const { stdout, stderr, exitCode } = await run(appWith(), ['doctor'])
  const lines = stdout.split('\n')
  expect(lines.filter((line) => line.length > 80)).toEqual([])
  expect(lines.filter((line) => /^openai +6\.49\.0 +(cjs|esm) +yes +yes/.test(line))).toHaveLength(2)
  expect(
    lines.filter((line) => /^openai +7\.57\.0 +(cjs|esm) +yes +yes +in @langchain\/openai$/.test(line)),
  ).toHaveLength(2)
  expect(stdout).toMatch(/The ledger is .*ledger\.db, which is not there yet\./)
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
})

test('says which copy cannot be patched, why, and what to do, and ends with 1', async () => {
  const folder = appWith({
    'package.json': '{ "dependencies": { "next": "16.4.6" } }',
    'node_modules/openai/package.json': '{ "name": "openai", "version": "99.0.0", "main": "index.js" }',
    'node_modules/openai/index.js': 'exports.OpenAI = class OpenAI {}',
  })
  const { stdout, exitCode } = await run(folder, ['doctor'])
  expect(stdout).toMatch(/^openai +99\.0\.0 +cjs +no +newer +the app$/m)
  expect(stdout).toContain('serverExternalPackages')
  expect(exitCode).toBe(1)
})

test('gives everything to a program', async () => {
  const folder = appWith()
  const { stdout } = await run(dirname(folder), ['doctor', '--json', '--app', 'app', '--dir', 'books'])
  const report = JSON.parse(stdout) as DoctorReport & { app: string; ledger: string }
  expect(report.app).toBe(folder)
  expect(report.ledger).toBe(join(dirname(folder), 'books/ledger.db'))
  expect(report.sdks.map(({ packageName }) => packageName)).toEqual(expect.arrayContaining(['openai', '@google/genai']))
  expect(report.sdks[0]!.copies[0]).toMatchObject({ version: '6.49.0', isPatched: true, support: 'tested' })
})

test('a folder without SDKs, and one that is not there', async () => {
  const empty = realpathSync(mkdtempSync(join(tmpdir(), 'tallygate-empty-')))
  onTestFinished(() => rmSync(empty, { recursive: true, force: true }))
  const none = await run(empty, ['doctor'])
  expect(none.stdout).toContain('None of the SDKs that have a patch is installed here.')
  expect(none.exitCode).toBe(0)
  const missing = await run(empty, ['doctor', '--app', 'nowhere'])
  expect(missing.stderr).toMatch(/^There is no folder .*nowhere\.\n$/)
  expect(missing.exitCode).toBe(1)
})
