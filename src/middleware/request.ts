// Who pays for a request: what an application says of each of its requests, whatever framework they come through.

import { expected, MeterError } from '../errors.ts'
import type { Meter } from '../meter.ts'
import type { Attribution } from '../tenant.ts'

type MaybePromise<T> = T | Promise<T>

/** What is used of a meter. */
export type RequestMeter = Pick<Meter, 'setTenant' | 'forTenant' | 'attribute'>

/**
 * Where the tenant of a request, and the labels of its events, are found. No header is looked at that is not named
 * here: a header is whatever its sender wrote, and only the application knows which of them its own gateway sets.
 *
 * @example
 * const fromSession: RequestOptions<{ session: { org: string } }> = {
 *   tenant: ({ session }) => session.org,
 *   userHeader: 'x-user-id',
 * }
 */
export interface RequestOptions<Request> {
  /** The tenant of a request; `undefined` leaves it without one, and the option `onMissingTenant` of the meter decides. */
  readonly tenant?: ((request: Request) => MaybePromise<string | undefined>) | undefined
  /** A header that holds the tenant, where `tenant` gives none. */
  readonly tenantHeader?: string | undefined
  /** Labels of the request's events; they come over those of headers. */
  readonly attribution?: ((request: Request) => MaybePromise<Attribution | undefined>) | undefined
  readonly userHeader?: string | undefined
  readonly sessionHeader?: string | undefined
  readonly featureHeader?: string | undefined
  readonly teamHeader?: string | undefined
}

/** Reads one header of a request, by its name in lower case. */
export type HeaderOf<Request> = (request: Request, name: string) => string | readonly string[] | null | undefined

export interface Asker {
  readonly tenantId: string | undefined
  readonly attribution: Attribution
}

const HEADERS = {
  userHeader: 'userId',
  sessionHeader: 'sessionId',
  featureHeader: 'feature',
  teamHeader: 'team',
} as const satisfies Partial<Record<keyof RequestOptions<never>, keyof Attribution>>

const FUNCTIONS = ['tenant', 'attribution'] as const
const NAMES: readonly string[] = [...FUNCTIONS, 'tenantHeader', ...Object.keys(HEADERS)]

/** Who asks, by these options. Throws MeterError `BAD_OPTION` for options that cannot be, when it is made. */
export function createAskers<Request>(
  options: RequestOptions<Request>,
  headerOf: HeaderOf<Request>,
): (request: Request) => MaybePromise<Asker> {
  check(options)
  const { tenant, tenantHeader, attribution } = options
  const named = Object.entries(HEADERS).flatMap(([option, field]) => {
    const name = options[option as keyof typeof HEADERS]?.toLowerCase()
    return name === undefined ? [] : [{ field, name }]
  })

  function read(request: Request, name: string): string | undefined {
    const value = headerOf(request, name.toLowerCase())
    // Sent twice, it is two people's word: the framework's first one is no better than the other.
    const single = Array.isArray(value) && value.length === 1 ? (value[0] as string) : value
    return typeof single === 'string' && single !== '' ? single : undefined
  }

  function askerOf(request: Request, tenantId: string | undefined, labels: Attribution | undefined): Asker {
    const told: Partial<Record<(typeof HEADERS)[keyof typeof HEADERS], string>> = {}
    for (const { field, name } of named) {
      const value = read(request, name)
      if (value !== undefined) told[field] = value
    }
    return {
      tenantId: tenantId ?? (tenantHeader === undefined ? undefined : read(request, tenantHeader)),
      attribution: { ...told, ...labels },
    }
  }

  return (request) => {
    const tenantId = tenant?.(request)
    const labels = attribution?.(request)
    if (!(tenantId instanceof Promise) && !(labels instanceof Promise)) return askerOf(request, tenantId, labels)
    return Promise.all([tenantId, labels]).then(([id, all]) => askerOf(request, id, all))
  }
}

function check(options: RequestOptions<never>): void {
  if (typeof options !== 'object' || options === null)
    throw new MeterError('BAD_OPTION', expected('options', 'an object such as `{ tenantHeader: "x-tenant" }`', options))
  for (const [name, value] of Object.entries(options)) {
    if (!NAMES.includes(name))
      throw new MeterError(
        'BAD_OPTION',
        `There is no option \`${name.slice(0, 40)}\`; the options are ${NAMES.join(', ')}.`,
      )
    if (value === undefined) continue
    if ((FUNCTIONS as readonly string[]).includes(name) ? typeof value !== 'function' : !isHeaderName(value))
      throw new MeterError(
        'BAD_OPTION',
        expected(name, name.endsWith('Header') ? 'the name of a header' : 'a function of the request', value),
      )
  }
  if (options.tenant === undefined && options.tenantHeader === undefined)
    throw new MeterError('BAD_OPTION', 'Say where the tenant of a request is found: `tenant`, or `tenantHeader`.')
}

function isHeaderName(value: unknown): boolean {
  return typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(value)
}

/** For frameworks on node:http: their request has a cell of its own, which holds however they pass the request on. */
export function setAsker(meter: RequestMeter, { tenantId, attribution }: Asker): void {
  meter.setTenant(tenantId, attribution)
}

/** For frameworks of Request and Response: what `fn` does is in the asker's name. */
export function runAsAsker<T>(meter: RequestMeter, { tenantId, attribution }: Asker, fn: () => T): T {
  return tenantId === undefined ? meter.attribute(attribution, fn) : meter.forTenant(tenantId, attribution, fn)
}
