// Chromium, where there is one, looking at a real server over a real ledger.

import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { dashboardPage } from '../../scripts/dashboard.mjs'
import { findBrowser } from '../../scripts/services.mjs'
import { openLedger } from '../../src/ledger/open.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { type ChangeLog, fileChangeLog } from '../../src/server/changes.ts'
import { createIngest } from '../../src/server/ingest.ts'
import type { ApiKey } from '../../src/server/keys.ts'
import { listen } from '../../src/server/serve.ts'
import { type SqliteLedger, sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from './ingest.ts'
import { PATIENT } from './patience.ts'

const FOUND = findBrowser()

/** Why no browser can be started here; nothing where one can. */
export const NO_BROWSER = FOUND === undefined ? 'there is no chromium: apt-get install chromium' : undefined

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: FOUND!, args: FLAGS, timeout: PATIENT.timeout })
}

export const ADMIN_KEY = 'the-key-of-the-test'

export interface Dashboard extends AsyncDisposable {
  readonly url: string
  readonly folder: string
  readonly ledger: SqliteLedger
  readonly changes: ChangeLog
}

export interface DashboardOptions {
  readonly apiKeys?: readonly ApiKey[]
  readonly oneTimeToken?: string
  readonly now?: () => number
  /** Behind `POST /v1/leases`; default: there is none. */
  readonly limitStore?: LimitStore
}

export async function dashboard({
  apiKeys = [{ key: ADMIN_KEY }],
  ...options
}: DashboardOptions = {}): Promise<Dashboard> {
  const folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  // Makes the file.
  await ledger.limits()
  const views = openLedger({ path })
  const changes = fileChangeLog(join(folder.path, 'changes.jsonl'))
  const page = dashboardPage()
  const server = await listen(createIngest({ ledger, views, page, apiKeys, changes, onProblem: () => {}, ...options }))
  return {
    url: server.url,
    folder: folder.path,
    ledger,
    changes,
    async [Symbol.asyncDispose]() {
      await server.close()
      await views.close()
      await ledger.close()
      folder[Symbol.dispose]()
    },
  }
}

export interface Visit extends AsyncDisposable {
  readonly page: Page
  /** What the console said that is no mere note, and what was thrown. */
  readonly faults: string[]
  /** Goes to a page of the dashboard, and waits until all that it asked for is there. */
  go(hash: string): Promise<void>
}

/** A reader who is signed in. */
export async function visit(
  browser: Browser,
  url: string,
  { key = ADMIN_KEY, ...options }: BrowserContextOptions & { readonly key?: string } = {},
): Promise<Visit> {
  const context = await browser.newContext({ timezoneId: 'Europe/Vienna', locale: 'en-US', ...options })
  context.setDefaultTimeout(PATIENT.timeout)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text())
  })
  page.on('pageerror', (error) => void faults.push(String(error)))
  await page.goto(url)
  await page.getByLabel('Key').fill(key)
  // The question whether somebody is signed in is answered with 401, which the console tells of.
  faults.length = 0
  await page.getByRole('button', { name: 'Open' }).click()
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
  await settled(page)
  return {
    page,
    faults,
    async go(hash) {
      await page.evaluate((to) => {
        location.hash = to
        // Painted once: what the page asks for is under way then.
        return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      }, hash)
      await settled(page)
    },
    [Symbol.asyncDispose]: () => context.close(),
  }
}

async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('.waiting') === null)
}
