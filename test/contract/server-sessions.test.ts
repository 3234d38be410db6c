// Signing in to the dashboard: a key for a cookie, wrong keys, other sites, and what the page may do.

import { createHash } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { type DashboardOptions, dashboard } from '../support/browser.ts'

const OWN = { 'sec-fetch-site': 'same-origin' }

async function stage(options: DashboardOptions = {}) {
  const server = await dashboard({ apiKeys: [{ key: 'k' }, { key: 'sends', role: 'ingest' }], ...options })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const signIn = (key: unknown, headers: Record<string, string> = OWN) =>
    fetch(`${server.url}/v1/session`, { method: 'POST', headers, body: JSON.stringify({ key }) })
  const cookieOf = (response: Response) => response.headers.get('set-cookie')!.split(';')[0]!
  const get = (path: string, cookie: string, headers: Record<string, string> = OWN, method = 'GET') =>
    fetch(`${server.url}${path}`, { method, headers: { cookie, ...headers } })
  return { ...server, signIn, cookieOf, get }
}

test('a key opens a session, in a cookie that no script reads and no other site sends', async () => {
  const server = await stage()
  const response = await server.signIn('k')
  expect(await response.json()).toEqual({ role: 'admin', project: null })
  expect(response.headers.get('set-cookie')).toMatch(
    /^tallygate_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  )
  const cookie = server.cookieOf(response)
  expect((await server.get('/v1/totals', cookie)).status).toBe(200)
  expect((await server.get('/v1/totals', 'tallygate_session=x')).status).toBe(401)
  expect((await server.get('/v1/session', cookie)).status).toBe(200)
  const out = await server.get('/v1/session', cookie, OWN, 'DELETE')
  expect(out.headers.get('set-cookie')).toContain('Max-Age=0')
  expect((await server.get('/v1/totals', cookie)).status).toBe(401)
})

test('behind a proxy with TLS the cookie goes over TLS alone', async () => {
  const server = await stage()
  const response = await server.signIn('k', { ...OWN, 'x-forwarded-proto': 'https' })
  expect(response.headers.get('set-cookie')).toMatch(/; Secure$/)
})

test('a session ends by itself', async () => {
  let now = Date.UTC(2026, 10, 22)
  const server = await stage({ now: () => now })
  const cookie = server.cookieOf(await server.signIn('k'))
  now += 12 * 3_600_000 - 1
  expect((await server.get('/v1/totals', cookie)).status).toBe(200)
  now += 1
  expect((await server.get('/v1/totals', cookie)).status).toBe(401)
})

test.each(['cross-site', 'same-site'])('a page of another origin (%s) does nothing with the cookie', async (site) => {
  const server = await stage()
  const cookie = server.cookieOf(await server.signIn('k'))
  const other = { 'sec-fetch-site': site }
  expect((await server.get('/v1/totals', cookie, other)).status).toBe(401)
  expect((await server.get('/v1/limits/acme', cookie, other, 'DELETE')).status).toBe(401)
  expect((await server.get('/v1/session', cookie, other, 'DELETE')).status).toBe(403)
  expect((await server.signIn('k', other)).status).toBe(403)
  expect((await server.get('/v1/session', cookie)).status).toBe(200)
})

test('where a browser does not say where a request is from, its origin has to be this host', async () => {
  const server = await stage()
  const cookie = server.cookieOf(await server.signIn('k', { origin: server.url }))
  const remove = (origin: string | undefined) =>
    server.get('/v1/limits/acme', cookie, origin === undefined ? {} : { origin }, 'DELETE')
  expect((await remove(server.url)).status).toBe(200)
  for (const origin of [undefined, 'null', 'https://evil.example', `${server.url}.evil.example`])
    expect((await remove(origin)).status, origin).toBe(401)
})

test('wrong keys: ten a minute, and then nobody is let in until it is over', async () => {
  let now = Date.UTC(2026, 10, 22)
  const server = await stage({ now: () => now })
  for (let i = 0; i < 10; i++) expect((await server.signIn(`wrong-${i}`)).status).toBe(401)
  const refused = await server.signIn('k')
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '60'])
  expect(await refused.json()).toEqual({ error: 'Too many wrong keys: try again in 60 s.' })
  // Whoever has a key is not kept from the rest.
  expect((await fetch(`${server.url}/v1/totals`, { headers: { authorization: 'Bearer k' } })).status).toBe(200)
  now += 60_000
  expect((await server.signIn('k')).status).toBe(200)
})

test('a thousand and one sessions: the first is over, the last is open', async () => {
  const server = await stage()
  const first = server.cookieOf(await server.signIn('k'))
  let last = first
  for (let i = 0; i < 1000; i++) last = server.cookieOf(await server.signIn('k'))
  expect((await server.get('/v1/session', first)).status).toBe(401)
  expect((await server.get('/v1/session', last)).status).toBe(200)
})

test('what is no key is told so, and a key that only sends opens no page', async () => {
  const server = await stage({
    apiKeys: [
      { key: 'sends', role: 'ingest' },
      { key: 'acme', role: 'read', tenant: 'acme' },
    ],
  })
  const said = async (key: unknown) => {
    const response = await server.signIn(key)
    return [response.status, ((await response.json()) as { error: string }).error]
  }
  expect(await said(5)).toEqual([400, 'Expected `key` to be a text.'])
  expect(await said('nope')).toEqual([401, 'This key is not one of this server.'])
  expect(await said('sends')).toEqual([403, 'This key is for sending events: the dashboard needs one to read.'])
  expect(await said('acme')).toEqual([403, 'This key is for `GET /v1/usage` of one tenant, and opens no dashboard.'])
})

test('a token from the terminal opens once', async () => {
  const server = await stage({ oneTimeToken: 'from-the-terminal' })
  expect((await server.signIn('from-the-terminal')).status).toBe(200)
  expect((await server.signIn('from-the-terminal')).status).toBe(401)
  const asKey = await fetch(`${server.url}/v1/totals`, { headers: { authorization: 'Bearer from-the-terminal' } })
  expect(asKey.status).toBe(401)
})

test('the page runs its own script and its own style, talks to its own server, and stands in no frame', async () => {
  const server = await stage()
  const response = await fetch(`${server.url}/`)
  const html = await response.text()
  const policy = response.headers.get('content-security-policy')!
  const hash = (tag: string) => {
    const [, text = ''] = new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
    return createHash('sha256').update(text).digest('base64')
  }
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain(`script-src 'sha256-${hash('script')}'`)
  expect(policy).toContain(`style-src 'sha256-${hash('style')}'`)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(html).not.toMatch(/(src|href)="(?!data:)/)
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  const again = await fetch(`${server.url}/`, { headers: { 'if-none-match': response.headers.get('etag')! } })
  expect([again.status, await again.text()]).toEqual([304, ''])
  expect((await fetch(`${server.url}/`, { method: 'POST' })).status).toBe(405)
})
