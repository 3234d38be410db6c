// What the server counts of itself, as Prometheus reads it: the text format of version 0.0.4.

/** Bounded on purpose: an address or a tenant as a label would let strangers make rows without end. */
export type RouteName =
  | 'ingest'
  | 'meters'
  | 'limits'
  | 'leases'
  | 'metrics'
  | 'health'
  | 'views'
  | 'session'
  | 'page'
  | 'other'

export interface Counts {
  requests: number
  bytes: number
  waiting: number
}

export interface Metrics {
  answered(route: RouteName, status: number): void
  /** What an ingest request took from its arrival to its answer. */
  took(seconds: number): void
  received(packedBytes: number): void
  unpacked(bytes: number): void
  events(result: 'accepted' | 'duplicate' | 'rejected', count: number): void
  ledgerFailed(): void
  /** Events since the start, by what became of them. */
  readonly counts: Readonly<Record<'accepted' | 'duplicate' | 'rejected', number>>
  /** `now` is what cannot be counted up, since it goes down too. */
  text(now: Counts): string
}

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Labels = Readonly<Record<string, string>>

export function createMetrics(version: string | undefined): Metrics {
  const requests = new Map<string, { readonly labels: Labels; count: number }>()
  const events = { accepted: 0, duplicate: 0, rejected: 0 }
  /** Of each bucket by itself; the format wants them added up. */
  const durations = new Array<number>(SECONDS.length + 1).fill(0)
  let seconds = 0
  let packed = 0
  let plain = 0
  let failures = 0

  return {
    answered(route, status) {
      const key = `${route} ${status}`
      const known = requests.get(key)
      if (known) known.count++
      else requests.set(key, { labels: { route, status: String(status) }, count: 1 })
    },
    took(taken) {
      const at = SECONDS.findIndex((most) => taken <= most)
      const bucket = at === -1 ? SECONDS.length : at
      durations[bucket] = durations[bucket]! + 1
      seconds += taken
    },
    received(bytes) {
      packed += bytes
    },
    unpacked(bytes) {
      plain += bytes
    },
    events(result, count) {
      events[result] += count
    },
    ledgerFailed() {
      failures++
    },
    counts: events,
    text({ requests: underWay, bytes, waiting }) {
      const page = createPage()
      page.family('tallygate_build_info', 'gauge', 'What runs here.')
      page.sample('tallygate_build_info', { version: version ?? 'unknown', node: process.version }, 1)
      page.family('tallygate_requests_total', 'counter', 'Requests that were answered, by route and status.')
      for (const { labels, count } of requests.values()) page.sample('tallygate_requests_total', labels, count)
      page.family('tallygate_events_total', 'counter', 'Events of ingest requests, by what became of them.')
      for (const [result, count] of Object.entries(events)) page.sample('tallygate_events_total', { result }, count)
      page.single('tallygate_received_bytes_total', 'counter', 'Bytes of ingest bodies as they came.', packed)
      page.single('tallygate_unpacked_bytes_total', 'counter', 'Bytes of ingest bodies unpacked.', plain)
      page.family('tallygate_ingest_seconds', 'histogram', 'From the arrival of an ingest request to its answer.')
      let count = 0
      for (const [at, most] of [...SECONDS, Number.POSITIVE_INFINITY].entries()) {
        count += durations[at]!
        const le = most === Number.POSITIVE_INFINITY ? '+Inf' : String(most)
        page.sample('tallygate_ingest_seconds_bucket', { le }, count)
      }
      page.sample('tallygate_ingest_seconds_sum', {}, seconds)
      page.sample('tallygate_ingest_seconds_count', {}, count)
      page.single('tallygate_ingest_in_flight', 'gauge', 'Ingest requests under way.', underWay)
      page.single('tallygate_ingest_waiting', 'gauge', 'Of those, how many wait for their turn at the ledger.', waiting)
      page.single('tallygate_ingest_held_bytes', 'gauge', 'Bytes of their bodies.', bytes)
      page.single('tallygate_ledger_errors_total', 'counter', 'Times that the ledger failed.', failures)
      page.single('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss())
      const { user, system } = process.cpuUsage()
      page.single('process_cpu_seconds_total', 'counter', 'CPU time of the process.', (user + system) / 1e6)
      const started = (performance.timeOrigin / 1000).toFixed(3)
      page.single('process_start_time_seconds', 'gauge', 'When the process began, since 1970.', Number(started))
      return page.text()
    },
  }
}

function createPage() {
  const lines: string[] = []
  const page = {
    family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    },
    sample(name: string, labels: Labels, value: number): void {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
      lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`)
    },
    single(name: string, type: 'counter' | 'gauge', help: string, value: number): void {
      page.family(name, type, help)
      page.sample(name, {}, value)
    },
    text: () => `${lines.join('\n')}\n`,
  }
  return page
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
