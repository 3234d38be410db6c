// `tallygate drain` says by its exit code that something was left, whatever the reason: scripts delete a folder after it.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Meter } from 'tallygate'
import { expect, test } from 'vitest'
import { run } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

/** What a process left that had an endpoint, and died: its spool, given up. */
async function leftFor(dir: string, url: string): Promise<void> {
  const meter = new Meter({ dir, url, apiKey: 'k', onProblem: () => {} })
  meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 10, tenantId: 'acme' })
  await meter.close(0)
}

const drain = (cwd: string, dir: string) => run(cwd, ['drain', '--dir', dir, '--wait', '0'])

test('what is owed to an endpoint that drain was not given is left, and the exit code says so', async () => {
  using folder = temporaryFolder()
  await leftFor(folder.path, 'http://127.0.0.1:9/v1/ingest')
  const { exitCode, stdout, stderr } = await drain(folder.path, folder.path)
  expect(stdout).toMatch(/ waits for http\.$/m)
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('was left as it is')])
})

test('a spool of a newer version is left, and the exit code says so', async () => {
  using folder = temporaryFolder()
  await leftFor(folder.path, 'http://127.0.0.1:9/v1/ingest')
  const spool = join(folder.path, 'spool')
  renameSync(spool, `${spool}.away`)
  mkdirSync(join(spool, '01a2064c-ecfe-77d1-8e56-34c6aa0792e2.free'), { recursive: true })
  writeFileSync(join(spool, '01a2064c-ecfe-77d1-8e56-34c6aa0792e2.free', '00000001.log'), 'not of ours\n')
  const { exitCode, stderr } = await drain(folder.path, folder.path)
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('was left as it is')])
})
