// @ts-check
// Records events with one client and ends in one way: `node app.mjs <client> <end> <address> <count> <folder>`. It says `ready`
// when all of them are recorded, and then ends by itself or waits for a signal.

const [client = '', end = '', url = '', count = '', dir = ''] = process.argv.slice(2)
const WARM_UP_MS = 1000
const LOT = 50
/** An outage lasts for twenty seconds: events come through most of it. */
const OUTAGE_MS = 15_000
const AFTER_OUTAGE_MS = 22_000

/** @type {Record<string, () => Promise<{ record: (id: string) => void, shutdown: () => Promise<unknown> }>>} */
const CLIENTS = {
  async tallygate() {
    const { Meter } = await import('../../dist/index.js')
    const meter = new Meter({ url: `${url}/v1/ingest`, apiKey: 'key', dir, onProblem: () => {} })
    return {
      record: (responseId) =>
        meter.trackManually({ provider: 'openai', model: 'gpt-4o', tenantId: 'acme', inputTokens: 100, responseId }),
      shutdown: () => meter.close(),
    }
  },
  async opentelemetry() {
    const { BasicTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base')
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
    const processor = new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces` }))
    const provider = new BasicTracerProvider({ spanProcessors: [processor] })
    const tracer = provider.getTracer('exits')
    return {
      record: (id) => tracer.startSpan('chat gpt-4o', { attributes: { id, 'gen_ai.usage.input_tokens': 100 } }).end(),
      shutdown: () => provider.shutdown(),
    }
  },
  async posthog() {
    const { PostHog } = await import('posthog-node')
    const posthog = new PostHog('phc_key', { host: url })
    return {
      record: (id) =>
        posthog.capture({ distinctId: 'acme', event: '$ai_generation', properties: { id, $ai_input_tokens: 100 } }),
      shutdown: () => posthog.shutdown(),
    }
  },
  async segment() {
    const { Analytics } = await import('@segment/analytics-node')
    const analytics = new Analytics({ writeKey: 'key', host: url })
    analytics.on('error', () => {})
    return {
      record: (id) => analytics.track({ userId: 'acme', event: 'chat', properties: { id, input_tokens: 100 } }),
      shutdown: () => analytics.closeAndFlush(),
    }
  },
}

const { record, shutdown } = await /** @type {NonNullable<typeof CLIENTS[string]>} */ (CLIENTS[client])()
/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
// Each has loaded what it loads with its first event: a process that has just begun is another matter.
record('warm-up')
await pause(WARM_UP_MS)
const isOutage = end === 'outage'
const lots = Number(count) / LOT
for (let number = 0; number < Number(count); number++) {
  record(`exit-${number}`)
  if (isOutage && number % LOT === LOT - 1) await pause(OUTAGE_MS / lots)
}
console.log('ready')

switch (end) {
  case 'exit':
    process.exit(0)
    break
  case 'error':
    throw new Error('mine')
  case 'rejection':
    void Promise.reject(new Error('mine'))
    break
  case 'signal':
    setInterval(() => {}, 1000)
    break
  case 'outage':
    await pause(AFTER_OUTAGE_MS - OUTAGE_MS)
    await shutdown()
}
