// An application under load that is killed from outside: it makes calls as fast as it can, and writes down the id of each
// whose `await` has gone on; with BY_HAND it reports calls instead, some ten times as many. Run by
// test/journey/crash.test.ts and scripts/soak-crash.mjs.

import { openSync, writeSync } from 'node:fs'
import OpenAI from 'openai'
import { Meter } from 'tallygate'

const { SEEN = '', ROUND = '0', AT_ONCE = '8', BY_HAND, INGEST_URL, API_KEY } = process.env

const meter = new Meter({
  ...(INGEST_URL ? { url: INGEST_URL, apiKey: API_KEY } : {}),
  maxBatchSize: 200,
  flushIntervalMs: 50,
  onProblem: ({ message }) => process.stderr.write(`${message}\n`),
})
meter.patch('openai', { modules: [OpenAI] })

let made = 0
const answer = { object: 'chat.completion', created: 0, model: 'gpt-4o', choices: [] }
const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 }

const openai = new OpenAI({
  apiKey: 'key',
  baseURL: 'https://api.openai.com/v1',
  fetch: async () => Response.json({ id: `${ROUND}-${++made}`, ...answer, usage }),
})

const seen = openSync(SEEN, 'a')
const request = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hi' }] }

async function work(): Promise<never> {
  for (;;) {
    const { id } = await meter.forTenant('acme', () => openai.chat.completions.create(request))
    writeSync(seen, `${id}\n`)
    // A fetch that answers at once would leave timers and sockets no turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const LOT = 50

async function report(): Promise<never> {
  for (;;) {
    for (let at = 0; at < LOT; at++) {
      const responseId = `${ROUND}-${++made}`
      meter.trackManually({ provider: 'openai', model: 'gpt-4o', tenantId: 'acme', inputTokens: 100, responseId })
      writeSync(seen, `${responseId}\n`)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

await (BY_HAND ? report() : Promise.all(Array.from({ length: Number(AT_ONCE) }, work)))
