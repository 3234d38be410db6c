// What a server of the command line shows of its ledger: the views, the page of the dashboard, and what lies in the folder beside them.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { LedgerViews } from '../ledger/views.ts'
import type { IngestOptions } from '../server/ingest.ts'
import { databaseUrlOf, type LedgerValues } from './ledgers.ts'
import { folderOf, ledgerIn } from './place.ts'

export interface OpenedViews extends Pick<IngestOptions, 'page' | 'changes' | 'moreHealth'> {
  readonly views: LedgerViews
}

export async function openViews(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<OpenedViews> {
  const databaseUrl = databaseUrlOf(values, env)
  const page = dashboardPage()
  if (databaseUrl !== undefined) {
    const [{ openLedger }, { postgresChangeLog }] = await Promise.all([
      import('../ledger/open.ts'),
      import('../server/changes-table.ts'),
    ])
    const [views, changes] = [openLedger({ databaseUrl }), postgresChangeLog({ databaseUrl })]
    const close = async () => void (await Promise.all([views.close(), changes.close()]))
    return { views: { ...views, close, [Symbol.asyncDispose]: close }, page, changes }
  }
  const dir = folderOf(values.dir, env)
  const [{ threadedViews }, { fileChangeLog }] = await Promise.all([
    import('../ledger/threads.ts'),
    import('../server/changes.ts'),
  ])
  return {
    views: threadedViews(ledgerIn(dir)),
    page,
    changes: fileChangeLog(join(dir, 'changes.jsonl')),
    moreHealth: async () => ({ dead_letters: await deadLettersIn(dir) }),
  }
}

function dashboardPage(): string {
  // By its name: a bundler may move this code to another folder of the package.
  const manifest = createRequire(import.meta.url).resolve('tallygate/package.json')
  return readFileSync(join(dirname(manifest), 'dist/dashboard.html'), 'utf8')
}

async function deadLettersIn(dir: string): Promise<number> {
  const { readDeadLetters } = await import('../delivery/letters.ts')
  let count = 0
  for (const _ of readDeadLetters(dir)) count++
  return count
}
