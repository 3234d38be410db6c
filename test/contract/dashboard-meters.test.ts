// Meters and refusals on the dashboard, in a real Chromium: what the pages for health, limits and a tenant say of them.

import { source as AXE } from 'axe-core'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { dashboard, NO_BROWSER, startBrowser, visit } from '../support/browser.ts'
import { signal } from '../support/ledgers.ts'
import { MINUTE, meterReport, refused } from '../support/meter-reports.ts'

const PAGES = ['#/health', '#/limits?range=7d', '#/tenants/acme?range=7d']
const EVIL = `<img src=x onerror="window.hurt=1">`

let browser: Browser
beforeAll(async () => {
  if (NO_BROWSER === undefined) browser = await startBrowser()
})
afterAll(() => browser?.close())

async function stage(as: BrowserContextOptions = {}) {
  const server = await dashboard()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const reader = await visit(browser, server.url, as)
  onTestFinished(() => reader[Symbol.asyncDispose]())
  const rows = (caption: string) =>
    reader.page
      .locator(`section[aria-label="${caption}"] tbody tr`)
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)))
  return { ...server, ...reader, rows }
}

const now = Date.now()
const hour = now - (now % 3_600_000) - 2 * 3_600_000
const REPORTS = [
  meterReport({
    at: now - 20_000,
    waiting: 1200,
    waitingSince: now - 11 * MINUTE,
    lost: 3,
    deadLetters: 1,
    unmetered: [
      { host: 'api.openai.com', calls: 12, unknown: 1 },
      { host: 'api.groq.com', calls: 1, unknown: 0 },
      { host: null, calls: 0, unknown: 2 },
    ],
    problems: [{ kind: 'delivery', at: now - MINUTE, message: `Delivery to http keeps failing ${EVIL}` }],
    refusals: [
      refused({ at: hour, calls: 41 }),
      refused({ at: hour, tenantId: null, scope: null, window: null, code: 'MISSING_TENANT', calls: 2 }),
    ],
  }),
  meterReport({
    meterId: 'meter-2',
    at: now - 3 * 3_600_000,
    isEnded: true,
    appName: EVIL,
    hostName: EVIL,
    refusals: [
      refused({ at: hour + MINUTE, calls: 1 }),
      refused({ at: hour, tenantId: EVIL, scope: 'feature=a%20b', window: 'day', calls: 5 }),
    ],
  }),
]

describe.skipIf(NO_BROWSER !== undefined)(`the dashboard${NO_BROWSER ? ` (skipped: ${NO_BROWSER})` : ''}`, () => {
  test('says of each meter whether its events arrive, and whom limits have refused', async () => {
    const { page, faults, go, ledger, rows } = await stage()
    for (const report of REPORTS) await ledger.report!(report, signal)
    await go('#/health')
    expect(await rows('Meters')).toEqual([
      [
        'shop',
        'production',
        'web-1',
        '0.1.0',
        expect.stringMatching(/^\d+ s ago$/),
        '1,200 for 11 min',
        '4',
        'api.openai.com (12 calls, 1 unknown), api.groq.com (1 call), others (2 unknown)',
      ],
      [EVIL, 'production', EVIL, '0.1.0', '3 h ago, ended', '0', '0', 'none'],
    ])
    expect(await rows('Problems of meters')).toEqual([
      [expect.any(String), 'shop on web-1', 'delivery', `Delivery to http keeps failing ${EVIL}`],
    ])
    await go('#/limits?range=7d')
    expect((await rows('Refused')).map((row) => row.slice(1))).toEqual([
      ['acme', 'tenant acme, per month', '42'],
      [EVIL, 'feature a b, per day', '5'],
      ['(none)', 'no tenant', '2'],
    ])
    await page.locator('section[aria-label="Refused"] a', { hasText: 'acme' }).click()
    await page.getByRole('heading', { level: 1, name: 'acme' }).waitFor()
    await page.locator('section[aria-label="Refused"] tbody tr').first().waitFor()
    expect((await rows('Refused')).map((row) => row.slice(1))).toEqual([['tenant acme, per month', '42']])
    // Of a short range, by the minute.
    await go('#/tenants/acme?range=24h')
    expect((await rows('Refused')).map((row) => row.slice(1))).toEqual([
      ['tenant acme, per month', '1'],
      ['tenant acme, per month', '41'],
    ])
    expect(await page.evaluate(() => 'hurt' in window)).toBe(false)
    expect(faults).toEqual([])
  })

  test('says what to do where no meter has said anything', async () => {
    const { page, go } = await stage()
    await go('#/health')
    await page.getByText('No meter has said anything of itself yet. Each does a minute after its first call').waitFor()
    await page.getByText('No meter has told of a problem.').waitFor()
    await page.getByRole('link', { name: 'Limits' }).click()
    await page.getByLabel('Range', { exact: true }).selectOption('all')
    await page.getByText('No limit has refused a call in this range').waitFor()
  })

  test.each<[string, BrowserContextOptions]>([
    ['in the light', { colorScheme: 'light' }],
    ['in the dark, on a phone', { colorScheme: 'dark', viewport: { width: 390, height: 844 }, isMobile: true }],
  ])(
    'can be read by everybody, %s',
    async (_, as) => {
      const { page, go, ledger } = await stage(as)
      for (const report of REPORTS) await ledger.report!(report, signal)
      for (const hash of PAGES) {
        await go(hash)
        const [wide, most] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
        expect(wide, hash).toBeLessThanOrEqual(most!)
        await page.evaluate(AXE)
        const found = await page.evaluate(() =>
          (
            globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: unknown[] }[] }> } }
          ).axe.run(),
        )
        expect(
          found.violations.map(({ id }) => id),
          hash,
        ).toEqual([])
      }
    },
    60_000,
  )
})
