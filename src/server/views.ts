// `GET /v1/...`: what the ledger says, for whoever has a key to read it. docs/dashboard.md lists the addresses.

import { MeterError } from '../errors.ts'
import { toWire } from '../event.ts'
import type { Query, Where } from '../ledger/query.ts'
import { refusal, wrongMethod } from './answer.ts'
import { invoiceView } from './invoice-view.ts'
import { createKeptAnswers } from './kept-answers.ts'
import { type Caller, mayDo } from './keys.ts'
import { usagePage } from './usage-page.ts'
import { usageOf } from './usage-view.ts'
import type { ViewsOptions } from './view-address.ts'
import { ADDRESSES } from './view-addresses.ts'
import { createQueryReader, RANGE } from './view-query.ts'
import { asksFor, show, tableOf, type View } from './view-rows.ts'

export type Views = (request: Request, url: URL, caller: Caller) => Promise<Response>

const EVENT = '/v1/events/'
const USAGE = '/v1/usage'
const INVOICE = '/v1/invoice'
/** What is said of all projects together is not for a key of one. */
const OF_ALL_PROJECTS = ['/v1/health', '/v1/changes', '/v1/reconciliations']
/** How things stand now: told old, a limit that was just set would seem to be lost. */
const OF_NOW = ['/v1/limits', '/v1/health', '/v1/changes']
const FORMATS = ['json', 'csv'] as const

export function isViewPath(pathname: string): boolean {
  return pathname in ADDRESSES || pathname.startsWith(EVENT) || pathname === USAGE || pathname === INVOICE
}

export function createViews(options: ViewsOptions): Views {
  const { ledger, limitsOf, now } = options
  const addresses = new Map(Object.entries(ADDRESSES).map(([path, make]) => [path, make(options)]))

  const kept = createKeptAnswers(now)

  async function eventView(id: string, { project }: Caller): Promise<Response | View> {
    const event = await ledger.event(id)
    if (event === undefined || (project !== undefined && event.project !== project))
      return refusal(404, 'There is no event with this id.')
    const wire = toWire(event)
    return { body: wire, table: () => tableOf('event', Object.keys(wire), [wire]) }
  }

  return async (request, { pathname, searchParams }, caller) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET')
    if (pathname === USAGE) {
      if (caller.role === 'ingest') return forbidden('to read')
      const query = createQueryReader(searchParams, ['tenant', ...RANGE, 'format'])
      const view = await usageOf({ ledger, limits: limitsOf(caller), caller, query, now: now() })
      if (view instanceof Response) return view
      const format = query.oneOf('format', [...FORMATS, 'html'])
      const isPage = format === 'html' || (format === undefined && asksFor('html', request))
      return isPage ? usagePage(view) : show(request, format, view)
    }
    if (pathname === INVOICE) {
      if (caller.role === 'ingest') return forbidden('to read')
      return invoiceView({ ledger, caller, request, params: searchParams, now: now() })
    }
    if (caller.tenant !== undefined) return refusal(403, 'This key is for `GET /v1/usage` and `GET /v1/invoice` alone.')
    if (pathname === '/v1/changes' && caller.role !== 'admin') return forbidden('with `role` `admin`')
    if (pathname === '/v1/changes' && options.changes === undefined)
      return refusal(404, 'This server keeps no trail of changes: one with its ledger in a folder does.')
    if (!mayDo(caller, 'read')) return forbidden('to read')
    if (caller.project !== undefined && OF_ALL_PROJECTS.includes(pathname))
      return refusal(403, 'This key is for one project, and this is of all of them.')
    if (pathname.startsWith(EVENT)) {
      const query = createQueryReader(searchParams, ['format'])
      const view = await eventView(idOf(pathname.slice(EVENT.length)), caller)
      return view instanceof Response ? view : show(request, query.oneOf('format', FORMATS), view)
    }
    const { takes, view } = addresses.get(pathname)!
    const query = createQueryReader(searchParams, takes)
    const over = () => withinProject({ ...query.range(), where: query.where() }, caller)
    const format = query.oneOf('format', FORMATS)
    if (OF_NOW.includes(pathname)) return show(request, format, await view({ query, caller, over }))
    searchParams.delete('format')
    searchParams.sort()
    const name = JSON.stringify([pathname, String(searchParams), caller.project])
    const isFresh = /no-cache/i.test(request.headers.get('cache-control') ?? '')
    const answer = await kept.answerTo(name, () => view({ query, caller, over }), isFresh)
    const response = show(request, format, answer.view)
    if (answer.ageMs >= 1000) response.headers.set('age', String(Math.floor(answer.ageMs / 1000)))
    return response
  }
}

function withinProject(query: Query & { readonly where: Where }, { project }: Caller): Query {
  if (project === undefined) return query
  const asked = query.where.project
  if (asked !== undefined && [asked].flat().some((one) => one !== project))
    throw new MeterError('BAD_INPUT', 'This key sees no other project than its own.')
  return { ...query, where: { ...query.where, project: [project] } }
}

function idOf(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new MeterError('BAD_INPUT', 'Expected the id of the event to be percent-encoded UTF-8.')
  }
}

function forbidden(what: string): Response {
  return refusal(403, `This address is for keys ${what}.`)
}
