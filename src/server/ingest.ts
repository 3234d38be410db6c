// The ingest endpoint as a function from a request to an answer. The contract is docs/wire.md.

import { MeterError } from '../errors.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import { createProblems, type Problem } from '../problems.ts'
import type { Ledger } from '../sinks/ledger.ts'
import { createAdmission } from './admission.ts'
import { answer, refusal, wrongMethod } from './answer.ts'
import { createBatches } from './batches.ts'
import { readJson } from './body.ts'
import { afterKeys, type ChangeLog } from './changes.ts'
import { createHealth } from './health.ts'
import { type ApiKey, type Caller, createKeyring, mayDo } from './keys.ts'
import { createLeases } from './leases.ts'
import { dropLimit, type NoteLimit, notingLimits, readLimits, tenantOf, writeLimit } from './limits.ts'
import { createMetrics, METRICS_TYPE, type RouteName } from './metrics.ts'
import { createOutage } from './outage.ts'
import { createPage } from './page.ts'
import { createReadiness } from './readiness.ts'
import { createReportIntake } from './reports.ts'
import { createSessions, isOwnPage } from './sessions.ts'
import { createSignIn } from './sign-in.ts'
import type { ViewLedger } from './view-ledger.ts'
import { createViews, isViewPath } from './views.ts'

export interface IngestOptions {
  readonly ledger: Ledger
  /** What opens every address but `/`, `/healthz` and `/readyz`: each within its `role`, its `project` and its `tenant`. */
  readonly apiKeys: readonly (string | ApiKey)[]
  /** Where the accounts of `POST /v1/leases` are; without it, limits are only told and not held. The caller's to close. */
  readonly limitStore?: LimitStore | undefined
  /** The same ledger, opened by `openLedger` of `tallygate/ledger`: answers `GET /v1/totals` and the other views. The caller's to close. */
  readonly views?: ViewLedger | undefined
  /** The text of `dist/dashboard.html` of this package, which is shown at `/` where there are `views`. */
  readonly page?: string | undefined
  /** Signs in once, in place of a key, and with all rights. */
  readonly oneTimeToken?: string | undefined
  /** Where changes of limits and keys are noted; `fileChangeLog(path)`. */
  readonly changes?: ChangeLog | undefined
  /** False where the keys are of one run only, and none of them is worth a line. */
  readonly notesKeys?: boolean | undefined
  /** Further fields of `GET /v1/health`. */
  readonly moreHealth?: (() => Promise<Readonly<Record<string, unknown>>>) | undefined
  /** The largest body that is taken, packed or unpacked; 8 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Bytes of bodies, as they came, that are held at once: above, the answer is 429; 64 MiB. */
  readonly maxHeldBytes?: number | undefined
  /** Ingest requests under way at once: above, the answer is 429; 256. */
  readonly maxRequests?: number | undefined
  /** The version that `/metrics` tells. */
  readonly version?: string | undefined
  /** Told when the ledger fails, once until it works again; without it, that is a warning of the process. */
  readonly onProblem?: ((problem: Problem) => void) | undefined
  /** Epoch milliseconds: decides which window is the current one. */
  readonly now?: (() => number) | undefined
}

export type RequestHandler = (request: Request) => Promise<Response>

const MAX_BODY_BYTES = 8 * 1024 * 1024
const MAX_HELD_BYTES = 64 * 1024 * 1024
const MAX_REQUESTS = 256
/** As many as the pool of the PostgreSQL ledger has connections; SQLite writes one after the other anyway. */
const MAX_TURNS = 4
/** Senders give up after 15 seconds. */
const MAX_WAIT_MS = 10_000
/** What sets a limit is one line. */
const MAX_LIMIT_BYTES = 64 * 1024
const LIMITS = '/v1/limits/'
const RETRY_AFTER_SECONDS = 5

/**
 * Serves `POST /v1/ingest`, `/v1/limits/{tenant}`, `GET /metrics`, `/readyz` and `/healthz` from a ledger, `POST
 * /v1/leases` from a limit store, and with `views` what the ledger says and the dashboard, in any framework that speaks `Request` and `Response`. `serve()` puts it on a port of its own.
 *
 * @example
 * const ingest = createIngest({ ledger: sqliteLedger({ path: 'ledger.db' }), apiKeys: ['k-1'] })
 * app.all('/v1/*', (c) => ingest(c.req.raw))
 */
export function createIngest(options: IngestOptions): RequestHandler {
  const { ledger, maxBodyBytes = MAX_BODY_BYTES, now = Date.now, views: book } = options
  const keyring = createKeyring(options.apiKeys)
  const problems = createProblems({ onProblem: tell, raiseOnError: false })
  const metrics = createMetrics(options.version)
  const outage = createOutage()
  const isReady = createReadiness(ledger)
  const admission = createAdmission({
    maxRequests: options.maxRequests ?? MAX_REQUESTS,
    maxBytes: options.maxHeldBytes ?? MAX_HELD_BYTES,
    maxTurns: MAX_TURNS,
    maxWaitMs: MAX_WAIT_MS,
  })
  const takeBatch = createBatches({ ledger, maxBodyBytes, metrics, outage, admission, works, unavailable })
  const takeReport = ledger.report && createReportIntake(ledger, now)

  const leases = options.limitStore && createLeases({ ledger, store: options.limitStore, now, went: storeWent })
  const limitsOf = ({ project }: Caller) => leases?.limitsOf(project) ?? ledger

  const { version, moreHealth: more } = options
  const health = book && createHealth({ ledger: book, isReady: () => isUp(), metrics, version, now, more })
  const sessions = createSessions(now)
  const signIn = createSignIn({ keyring, sessions, now, oneTimeToken: options.oneTimeToken })
  const showPage = options.page === undefined ? undefined : createPage(options.page)
  const { changes: log, notesKeys = true } = options
  const changes = log && notesKeys ? afterKeys(log, keyring.callers, new Date(now()).toISOString(), untold) : log
  const showView = book && createViews({ ledger: book, limitsOf, health: () => health!.view(), changes, now })

  async function route(request: Request, name: RouteName, url: URL): Promise<Response> {
    const { method } = request
    const { pathname, searchParams } = url
    const isGet = method === 'GET' || method === 'HEAD'
    if (name === 'health') {
      if (!isGet) return wrongMethod('GET')
      return pathname === '/healthz' ? answer(200, { ok: true }) : readiness()
    }
    if (name === 'page' && showPage) return showPage(request)
    if (name === 'session' && showView) return signIn(request)
    const meters = isGet ? showView : takeReport
    const isThere = { leases: leases, meters, views: showView, page: undefined, session: undefined, other: undefined }
    if (name in isThere && !isThere[name as keyof typeof isThere])
      return refusal(404, 'There is nothing at this address.')
    const caller = callerOf(request)
    if (caller === undefined)
      return refusal(401, 'The API key is missing or unknown: send it as `Authorization: Bearer <key>`.', {
        'www-authenticate': 'Bearer',
      })
    if (name === 'views' || (name === 'meters' && isGet)) return showView!(request, url, caller)
    if (name === 'metrics') {
      if (!mayDo(caller, 'read')) return mayNot(caller)
      return isGet ? metricsPage() : wrongMethod('GET')
    }
    if (name === 'limits' && isGet && mayDo(caller, 'read'))
      return readLimits(limitsOf(caller), tenantOf(pathname.slice(LIMITS.length)), now())
    if (!mayDo(caller, 'ingest')) return mayNot(caller)
    if (name === 'meters') return method === 'POST' ? takeReport!(request, caller) : wrongMethod('GET, POST')
    if (name === 'ingest') return method === 'POST' ? takeBatch(request, caller) : wrongMethod('POST')
    if (name === 'leases' && isGet) return leases!.greet(caller.project)
    if (name === 'leases') return method === 'POST' ? takeLeases(request, caller) : wrongMethod('GET, POST')
    const limits = changes ? notingLimits(limitsOf(caller), noting(caller)) : limitsOf(caller)
    const tenantId = tenantOf(pathname.slice(LIMITS.length))
    if (isGet) return readLimits(limits, tenantId, now())
    if (method === 'DELETE') return dropLimit(limits, tenantId, searchParams.get('per'), now())
    if (method !== 'PUT') return wrongMethod('GET, PUT, DELETE')
    const body = await readJson(request, Math.min(maxBodyBytes, MAX_LIMIT_BYTES))
    return body instanceof Response ? body : writeLimit(limits, tenantId, body.value, now())
  }

  /** By its key, or, from the pages of this very server, by the cookie of a session. */
  function callerOf(request: Request): Caller | undefined {
    const authorization = request.headers.get('authorization')
    if (authorization !== null) return keyring.callerOf(authorization)
    return isOwnPage(request) ? sessions.callerOf(request.headers.get('cookie')) : undefined
  }

  /** Each change of a limit leaves a line in the trail. */
  function noting({ name: by }: Caller): NoteLimit {
    return (change) => changes!.note({ at: new Date(now()).toISOString(), by, ...change }).catch(untold)
  }

  function untold(cause: unknown): void {
    problems.report({ kind: 'ledger', message: 'The trail of changes cannot be written.', cause }, 'changes')
  }

  function tell(problem: Problem): unknown {
    health?.note(problem)
    if (options.onProblem) return options.onProblem(problem)
    return process.emitWarning(problem.message, { type: 'TallygateWarning', code: problem.kind })
  }

  async function takeLeases(request: Request, caller: Caller): Promise<Response> {
    const body = await readJson(request, maxBodyBytes)
    return body instanceof Response ? body : leases!.answer(body.value, caller.project, changes && noting(caller))
  }

  const isUp = async () => !outage.isLasting && (await isReady())

  async function readiness(): Promise<Response> {
    if (await isUp()) return answer(200, { ok: true })
    return refusal(503, 'The ledger cannot be written.', { 'retry-after': String(RETRY_AFTER_SECONDS) })
  }

  function metricsPage(): Response {
    const headers = { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' }
    return new Response(metrics.text(admission), { headers })
  }

  function works(): void {
    if (outage.worked() || said.length > 0) for (const key of said.splice(0)) problems.clear(key)
  }

  function storeWent(cause?: unknown): void {
    if (cause === undefined) {
      problems.clear('limit:store')
      return
    }
    const message = cause instanceof MeterError ? cause.message : 'The limit store behind the leases failed.'
    problems.report({ kind: 'limit', message, cause }, 'limit:store')
  }

  const said: string[] = []

  /** 503: the sender keeps its events and comes back. What is wrong is for our own log. What fails to be read keeps no events out. */
  function unavailable(cause?: unknown, isReading = false): Response {
    if (cause !== undefined) {
      const message = cause instanceof MeterError ? cause.message : 'The ledger behind the ingest endpoint failed.'
      const key = `ledger:${message}`
      if (!said.includes(key)) said.push(key)
      if (!isReading) outage.failed()
      metrics.ledgerFailed()
      problems.report({ kind: 'ledger', message, cause }, key)
    }
    return refusal(503, 'The ledger is not available.', { 'retry-after': String(RETRY_AFTER_SECONDS) })
  }

  async function answerTo(request: Request, name: RouteName, url: URL): Promise<Response> {
    try {
      return await route(request, name, url)
    } catch (cause) {
      if (cause instanceof MeterError && cause.code === 'BAD_INPUT') return refusal(400, cause.message)
      return unavailable(cause, request.method === 'GET' || request.method === 'HEAD')
    }
  }

  return async (request) => {
    const began = performance.now()
    const url = new URL(request.url)
    const name = routeOf(url.pathname)
    const response = await answerTo(request, name, url)
    metrics.answered(name, response.status)
    if (name === 'ingest') metrics.took((performance.now() - began) / 1000)
    return response
  }
}

function mayNot({ role, tenant }: Caller): Response {
  const what = tenant === undefined ? `has the role \`${role}\`` : 'is for `GET /v1/usage` of one tenant'
  return refusal(403, `This key ${what}, which does not open this address.`)
}

function routeOf(pathname: string): RouteName {
  if (pathname === '/') return 'page'
  if (pathname === '/v1/session') return 'session'
  if (pathname === '/v1/meters') return 'meters'
  if (isViewPath(pathname)) return 'views'
  if (pathname === '/v1/ingest') return 'ingest'
  if (pathname.startsWith(LIMITS)) return 'limits'
  if (pathname === '/v1/leases') return 'leases'
  if (pathname === '/metrics') return 'metrics'
  return pathname === '/healthz' || pathname === '/readyz' ? 'health' : 'other'
}
