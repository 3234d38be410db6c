// @ts-check
// Takes the pictures of docs/screenshots: the dashboard over the story of test/support/bookful.ts, light, dark and on a phone.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fill, storyOf } from '../test/support/bookful.ts'
import { dashboard, NO_BROWSER, startBrowser, visit } from '../test/support/browser.ts'
import { root } from './entries.mjs'

const FOLDER = join(root, 'docs/screenshots')
const PAGES = {
  overview: '#/',
  tenants: '#/tenants',
  tenant: '#/tenants/fjord-travel',
  models: '#/models',
  labels: '#/labels',
  events: '#/events',
  event: '#/events/e-002990',
  limits: '#/limits',
  health: '#/health',
}
const DEVICES = {
  light: { colorScheme: 'light', viewport: { width: 1360, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1360, height: 900 } },
  phone: {
    colorScheme: 'light',
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
}
/** All pages in light; of the others those that look most different. */
const SHOWN = { light: Object.keys(PAGES), dark: ['overview', 'tenant'], phone: ['overview', 'tenants', 'event'] }

if (NO_BROWSER) throw new Error(`No pictures: ${NO_BROWSER}.`)
mkdirSync(FOLDER, { recursive: true })
const stage = await dashboard()
await fill(stage.ledger, storyOf(3000, Date.now()))
for (const [tenantId, usd] of Object.entries({ 'fjord-travel': 20n, 'harbor-books': 10n, 'lumen-health': 5n }))
  await stage.ledger.putLimit({ tenantId, window: 'month', limit: usd * 10n ** 12n, mode: 'expected' })
const browser = await startBrowser()
for (const [device, options] of Object.entries(DEVICES)) {
  const reader = await visit(browser, stage.url, /** @type {any} */ (options))
  for (const [name, hash] of Object.entries(PAGES)) {
    if (!SHOWN[/** @type {keyof typeof SHOWN} */ (device)].includes(name)) continue
    await reader.go(hash)
    await reader.page.screenshot({ path: join(FOLDER, `${name}-${device}.png`), fullPage: device !== 'phone' })
  }
  if (reader.faults.length > 0) console.error(device, reader.faults)
  await reader[Symbol.asyncDispose]()
}
await browser.close()
await stage[Symbol.asyncDispose]()
