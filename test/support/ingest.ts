// A real ingest server on a free port: the product's own over a throw-away ledger, which can be told to misbehave.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import { createIngest, type IngestOptions } from '../../src/server/ingest.ts'
import { listen } from '../../src/server/serve.ts'
import { type HttpSinkOptions, httpSink } from '../../src/sinks/http.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { type SqliteLedger, sqliteLedger } from '../../src/sinks/sqlite.ts'

export const API_KEY = 'test-key'

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly bytes: Buffer
  /** Unpacked. */
  readonly text: string
}

type Misbehaviour = (request: Received) => Response | Promise<Response> | undefined

export interface TestIngest extends AsyncDisposable {
  /** `{base}/v1/ingest`. */
  readonly url: string
  readonly base: string
  readonly ledger: SqliteLedger
  /** Where its leases are, if it has any. */
  readonly limitStore: LimitStore | undefined
  /** Where the file of the ledger is. */
  readonly folder: string
  readonly received: readonly Received[]
  /** Answers the next requests in the product's place; one that gives `undefined` leaves that request to the product. */
  misbehave(...answers: Misbehaviour[]): void
  sink(options?: Partial<HttpSinkOptions>): Sink
}

export interface TestIngestOptions extends Partial<Pick<IngestOptions, 'apiKeys' | 'now' | 'onProblem'>> {
  /** With leases, of accounts in the same folder; or of these. */
  readonly leases?: boolean | LimitStore
}

export async function ingest({ leases = false, ...options }: TestIngestOptions = {}): Promise<TestIngest> {
  const folder = temporaryFolder()
  const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
  const own = leases === true ? sqliteLimitStore({ path: join(folder.path, 'limits.db') }) : undefined
  const limitStore = own ?? (typeof leases === 'object' ? leases : undefined)
  const handler = createIngest({ ledger, limitStore, apiKeys: [API_KEY], onProblem: () => {}, ...options })
  const received: Received[] = []
  const scripted: Misbehaviour[] = []
  const server = await listen(async (request) => {
    const bytes = Buffer.from(await request.arrayBuffer())
    const isPacked = request.headers.get('content-encoding') === 'gzip'
    const seen: Received = {
      method: request.method,
      path: new URL(request.url).pathname,
      headers: request.headers,
      bytes,
      text: isPacked ? unpacked(bytes) : bytes.toString('utf8'),
    }
    received.push(seen)
    const answer = await scripted.shift()?.(seen)
    if (answer) return answer
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD'
    return handler(new Request(request.url, { ...rest(request), ...(hasBody ? { body: bytes } : {}) }))
  })
  const url = `${server.url}/v1/ingest`
  return {
    url,
    base: server.url,
    ledger,
    limitStore,
    folder: folder.path,
    received,
    misbehave: (...answers) => void scripted.push(...answers),
    sink: (options = {}) => httpSink({ url, apiKey: API_KEY, ...options }),
    async [Symbol.asyncDispose]() {
      await server.close()
      await ledger.close()
      await own?.close?.()
      folder[Symbol.dispose]()
    },
  }
}

function unpacked(bytes: Buffer): string {
  try {
    return gunzipSync(bytes).toString('utf8')
  } catch {
    return ''
  }
}

function rest({ method, headers }: Request): RequestInit {
  return { method, headers }
}

export interface TemporaryFolder extends Disposable {
  readonly path: string
}

export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'tallygate-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
