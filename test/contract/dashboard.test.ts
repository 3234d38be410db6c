// The dashboard in a real Chromium, over a real server and a real ledger: every page, at every size of ledger, for every reader.

import { join } from 'node:path'
import { source as AXE } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { printReport } from '../../src/cli/report.ts'
import type { LLMEvent } from '../../src/event.ts'
import { fill, storyOf } from '../support/bookful.ts'
import { type DashboardOptions, dashboard, NO_BROWSER, startBrowser, visit } from '../support/browser.ts'
import { PATIENT } from '../support/patience.ts'
import { type Compared, putDays } from '../support/reconciled.ts'

const NOW = Date.now()
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
const PAGES = {
  overview: '#/?range=all',
  tenants: '#/tenants?range=all',
  tenant: '#/tenants/fjord-travel?range=all&zone=Asia%2FKolkata',
  models: '#/models?range=12m',
  features: '#/labels?range=90d',
  tags: '#/labels?range=90d&by=tag:plan',
  events: '#/events?range=all',
  event: '#/events/e-000000',
  limits: '#/limits',
  bills: '#/bills?range=all',
  health: '#/health',
  nowhere: '#/nowhere',
}

const BILLS: readonly Compared[] = [
  { day: '2026-11-18', logged: 12_345_678_900_000n },
  { day: '2026-11-19', logged: 10n ** 12n, status: 'warn', causes: { 'not-logged': 60_000_000_000n, rounding: -1n } },
  { day: '2026-11-19', source: 'focus', logged: 0n, status: 'fail', causes: { 'foreign-key': 9_990_000_000_000n } },
]

let browser: Browser
beforeAll(async () => {
  if (NO_BROWSER === undefined) browser = await startBrowser()
})
afterAll(() => browser?.close())

async function stage(
  events: readonly LLMEvent[],
  options: DashboardOptions & { readonly as?: BrowserContextOptions } = {},
) {
  const { as, ...rest } = options
  const server = await dashboard(rest)
  onTestFinished(() => server[Symbol.asyncDispose]())
  await fill(server.ledger, events)
  const reader = await visit(browser, server.url, as)
  onTestFinished(() => reader[Symbol.asyncDispose]())
  return { ...server, ...reader }
}

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string }[]
}

type Axe = { run(options?: object): Promise<{ violations: Violation[] }> }

/** All rules of axe-core, or some: they take a second or two for each page. */
async function violations(page: Page, ...rules: string[]): Promise<string[]> {
  await page.evaluate(AXE)
  const found = await page.evaluate(
    (rules) => (globalThis as unknown as { axe: Axe }).axe.run(rules.length > 0 ? { runOnly: rules } : {}),
    rules,
  )
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}

const texts = (page: Page, selector: string) => page.locator(selector).allTextContents()

describe.skipIf(NO_BROWSER !== undefined)(`the dashboard${NO_BROWSER ? ` (skipped: ${NO_BROWSER})` : ''}`, () => {
  test.each(['light', 'dark'] as const)(
    'the usage page of one tenant has no fault, on a phone, %s',
    async (colorScheme) => {
      const { page, go, url, ledger } = await stage(storyOf(400, NOW), { as: { ...PHONE, colorScheme } })
      await ledger.putLimit({ tenantId: 'fjord-travel', window: 'month', limit: 3n * 10n ** 12n, mode: 'hard' })
      await go(PAGES.overview)
      await page.goto(`${url}/v1/usage?tenant=fjord-travel&format=html`)
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
      // Its policy lets no script in, and that of the checks is one.
      const html = await page.content()
      await page.goto('about:blank')
      await page.setContent(html)
      expect(await violations(page)).toEqual([])
    },
  )

  test.each([0, 1, 4000])(
    'with %i events every page says something, without a fault',
    async (count) => {
      const { page, faults, go, ledger, folder } = await stage(storyOf(count, NOW))
      if (count > 0) await putDays({ path: join(folder, 'ledger.db') }, ...BILLS)
      await ledger.putLimit({ tenantId: 'fjord-travel', window: 'month', limit: 3n * 10n ** 12n, mode: 'hard' })
      for (const [name, hash] of Object.entries(PAGES)) {
        await go(hash)
        expect((await page.locator('h1').textContent())?.length, name).toBeGreaterThan(3)
        const alerts = await texts(page, '[role=alert]')
        expect(alerts, name).toEqual(name === 'event' && count === 0 ? ['There is no event with this id.'] : [])
        if (count === 4000 || name === 'limits') expect(await violations(page), name).toEqual([])
      }
      // The browser tells of every answer of 404 by itself.
      expect(faults.filter((fault) => !/status of 404/.test(fault))).toEqual([])
    },
    120_000,
  )

  test.each<[string, BrowserContextOptions]>([
    ['in the dark', { colorScheme: 'dark' }],
    ['on a phone', PHONE],
  ])(
    '%s every page can be read, and none is wider than the screen',
    async (_, as) => {
      const { page, faults, go, folder } = await stage(storyOf(400, NOW), { as })
      await putDays({ path: join(folder, 'ledger.db') }, ...BILLS)
      for (const [name, hash] of Object.entries(PAGES)) {
        await go(hash)
        if ('colorScheme' in as) expect(await violations(page, 'color-contrast'), name).toEqual([])
        const [wide, most] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
        expect(wide, name).toBeLessThanOrEqual(most!)
      }
      expect(faults).toEqual([])
    },
    120_000,
  )

  test('money is that of the command line, to the last digit shown', async () => {
    const { page, go, ledger } = await stage(storyOf(700, NOW))
    for (const [by, hash] of [
      ['tenant', '#/tenants?range=all'],
      ['model', '#/models?range=all'],
    ] as const) {
      const lines: string[] = []
      const terminal = {
        width: 200,
        print: (line = '') => lines.push(line),
        complain: () => {},
        write: () => {},
        paint: (_: string, text: string) => text,
      }
      await printReport(ledger, { by: [by], now: NOW, terminal: terminal as never })
      const said = lines.flatMap((line) => {
        const [, name, cost] = /^(\S+)\s.*?\s(\$\S+|unknown)/.exec(line) ?? []
        return name === undefined ? [] : [`${name} ${cost!.replace(/[~*]/g, '')}`]
      })
      await go(hash)
      const table = page.locator('main table').first()
      const rows = await table
        .locator('tbody tr, tfoot tr')
        .evaluateAll((rows) => rows.map((row) => [...row.children].slice(0, 2).map((cell) => cell.textContent ?? '')))
      const shown = rows.map(([name, cost]) => `${name!.toLowerCase()} ${cost!.replace(/[~*]/g, '')}`)
      expect(said.length).toBeGreaterThan(3)
      expect(shown.sort()).toEqual(said.sort())
    }
  })

  test('markup and SQL in whatever a tenant may name is text, however long it is', async () => {
    const evil = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'"; DROP TABLE events;--`
    const long = 'f'.repeat(10_000)
    const { page, faults, go } = await stage(
      [evil, 'javascript:window.hurt=1', '../../../v1/limits', '‮flipped', 'tab/with?what&ever#'].map((text, i) => ({
        eventId: `id-${i}`,
        timestamp: new Date(NOW - 1000 * i).toISOString(),
        tenantId: text.slice(0, 200),
        userId: text,
        sessionId: text,
        feature: i === 1 ? long : text,
        tags: { [text]: text },
        provider: text,
        model: text,
        endpoint: text,
        error: text,
        usageSource: 'reported',
        costUsd: '0.01',
        costLines: [{ bucket: text, quantity: 1, costUsd: '0.01', rate: text }],
        requestId: text,
      })),
    )
    for (const hash of Object.values(PAGES)) await go(hash)
    await go('#/events/id-0')
    expect(await page.locator('bdi', { hasText: evil }).count()).toBeGreaterThan(5)
    for (const at of [0, 1, 2, 3, 4]) {
      await go('#/tenants?range=all')
      await page.locator('tbody tr a').nth(at).click()
      await page.waitForFunction(() => document.querySelector('h1')?.textContent !== 'Tenants')
      await page.locator('dd').first().waitFor()
      expect(await texts(page, '[role=alert]')).toEqual([])
      expect(await page.locator('dl.figures dd').first().textContent()).toBe('$0.01')
    }
    await go(`#/labels?range=all&by=${encodeURIComponent(`tag:${evil}`)}`)
    expect(await texts(page, '[role=alert]')).toEqual([])
    expect(await page.evaluate(() => 'hurt' in window)).toBe(false)
    expect(faults.filter((fault) => !/status of 404/.test(fault))).toEqual([])
  })

  test('a limit is set, seen, noted and removed, by the keyboard alone', async () => {
    const { page, go, ledger, changes } = await stage(storyOf(20, NOW))
    await go('#/limits')
    await page.getByLabel('Tenant').focus()
    await page.keyboard.type('acme')
    await page.keyboard.press('Tab')
    await page.keyboard.type('12.50')
    await page.keyboard.press('Enter')
    await page.getByText('Set: acme may spend $12.50 per month.').waitFor()
    expect(await ledger.limits()).toMatchObject([{ tenantId: 'acme', window: 'month', limit: 12_500_000_000_000n }])
    const remove = page.getByRole('button', { name: 'Remove the limit per month of acme' })
    await remove.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Really remove the limit per month of acme' }).press('Enter')
    await page.getByText('There is no limit yet: set one below.').waitFor()
    expect(await ledger.limits()).toEqual([])
    expect((await changes.list()).map(({ what }) => what)).toEqual(['limit.removed', 'limit.set', 'key.added'])
    await page.getByLabel('Tenant').fill('acme')
    await page.getByLabel('Dollars').fill('1e99')
    await page.keyboard.press('Enter')
    expect(await page.getByLabel('Dollars').evaluate((input: HTMLInputElement) => input.validity.patternMismatch)).toBe(
      true,
    )
  })

  test('tables sort, the range is in the address, and the first key press leads past the links', async () => {
    const { page, go } = await stage(storyOf(300, NOW))
    await go('#/tenants?range=all')
    const names = () => texts(page, 'tbody tr td:first-child')
    const byCost = await names()
    await page.getByRole('button', { name: 'Tenant', exact: true }).press('Enter')
    expect(await names()).toEqual([...byCost].sort())
    expect(await page.locator('th[aria-sort]').textContent()).toBe('Tenant')
    await page.getByLabel('Range', { exact: true }).selectOption('last-month')
    await page.getByLabel('Time zone', { exact: true }).selectOption('America/New_York')
    expect(new URL(page.url()).hash).toBe('#/tenants?range=last-month&zone=America%2FNew_York')
    await page.getByLabel('Range', { exact: true }).selectOption('custom')
    expect(new URL(page.url()).hash).toMatch(/from=\d{4}-\d\d-01&to=\d{4}-\d\d-\d\d/)
    await page.reload()
    await page.getByRole('heading', { name: 'Tenants' }).waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
  })

  test('bills say what they differ by, and without one, which command asks for them', async () => {
    const { page, go, folder } = await stage([])
    await go('#/bills?range=all')
    await page.getByText('npx tallygate reconcile --provider openai --day yesterday').waitFor()
    await putDays({ path: join(folder, 'ledger.db') }, ...BILLS)
    await page.getByRole('button', { name: 'Reload' }).click()
    await page.locator('table').first().waitFor()
    const rows = await page
      .locator('main table')
      .evaluateAll((tables) =>
        tables.map((table) =>
          [...table.querySelectorAll('tbody tr, tfoot tr')].map((row) =>
            [...row.children].map((cell) => cell.textContent),
          ),
        ),
      )
    expect(rows).toEqual([
      [
        ['2026-11-19', 'focus', '$9.99', '$0.00', '$9.9900', '100 %', 'drifts too far', 'foreign-key'],
        ['2026-11-19', 'openai', '$1.06', '$1.00', '$0.0600', '5.7 %', 'drifts', 'not-logged, rounding'],
        ['2026-11-18', 'openai', '$12.35', '$12.35', '$0.0000', '0 %', 'fine', 'none'],
      ],
      [
        ['foreign-key', '$9.9900'],
        ['not-logged', '$0.0600'],
        ['rounding', '-<$0.0001'],
        ['Difference', '$10.0500'],
      ],
    ])
    expect(await texts(page, 'dl.figures dd:first-of-type')).toEqual(['$23.40', '$13.35', '$10.05'])
  })

  test('events are filtered and turned over by the page', async () => {
    const { page, go } = await stage(storyOf(130, NOW))
    await go('#/events?range=all')
    const ids = async () => page.locator('tbody tr').count()
    expect(await ids()).toBe(50)
    const first = await texts(page, 'tbody tr:first-child')
    await page.getByRole('link', { name: 'Older' }).click()
    await page.getByRole('link', { name: 'Newest' }).waitFor()
    await page.waitForFunction((text) => document.querySelector('tbody tr')?.textContent !== text, first[0])
    await page.getByLabel('Tenant').fill('fjord-travel')
    await page.keyboard.press('Enter')
    await page.waitForURL(/tenant=fjord-travel/)
    await page.locator('tbody tr').first().waitFor()
    await page.waitForFunction(() =>
      [...document.querySelectorAll('tbody tr td:nth-child(2)')].every(
        ({ textContent }) => textContent === 'fjord-travel',
      ),
    )
    await page.locator('tbody tr a').first().click()
    await page.getByRole('heading', { name: 'Event', exact: true }).waitFor()
    await page.getByText('Price from').waitFor()
  })

  test('a key to read changes nothing, and one of a project sees no health', async () => {
    const apiKeys = [{ key: 'looks', role: 'read' as const, project: 'web' }]
    const server = await dashboard({ apiKeys })
    onTestFinished(() => server[Symbol.asyncDispose]())
    const reader = await visit(browser, server.url, { key: 'looks' })
    onTestFinished(() => reader[Symbol.asyncDispose]())
    await reader.go('#/limits')
    expect(await reader.page.getByRole('button', { name: 'Set limit' }).count()).toBe(0)
    const pages = await texts(reader.page, 'nav.pages a')
    expect(pages.filter((name) => ['Bills', 'Health'].includes(name))).toEqual([])
    expect(reader.faults).toEqual([])
  })

  test('the address from the terminal opens once, and the token is gone from it', async () => {
    const server = await dashboard({ oneTimeToken: 'from-the-terminal' })
    onTestFinished(() => server[Symbol.asyncDispose]())
    const open = async () => {
      const context = await browser.newContext()
      context.setDefaultTimeout(PATIENT.timeout)
      onTestFinished(() => context.close())
      const page = await context.newPage()
      await page.goto(`${server.url}/#token=from-the-terminal`)
      return page
    }
    const page = await open()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(page.url()).not.toContain('from-the-terminal')
    await page.reload()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Key').waitFor()
    const late = await open()
    await late.getByText('This address opens one time only').waitFor()
  })

  test('a wrong key and a server that is gone are said', async () => {
    const server = await dashboard()
    onTestFinished(() => server[Symbol.asyncDispose]())
    const reader = await visit(browser, server.url)
    onTestFinished(() => reader[Symbol.asyncDispose]())
    await server[Symbol.asyncDispose]()
    await reader.page.getByRole('button', { name: 'Reload' }).click()
    await reader.page.getByText('The server does not answer. Does it still run?').first().waitFor()
    await reader.page.getByRole('button', { name: 'Sign out' }).click()
    await reader.page.getByLabel('Key').fill('wrong')
    await reader.page.getByRole('button', { name: 'Open' }).click()
    await reader.page.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor()
  })
})
