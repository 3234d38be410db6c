// A process under a limit that tests kill, freeze and start with a wrong clock: it makes calls as fast as it is told to, and
// writes down what each came to before its `await` goes on. Run by test/journey/limits-crash.test.ts.

import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { Meter } from 'tallygate'
import { sqliteLimitStore } from 'tallygate/limits'

const { AT_ONCE = '4', CALL_MS = '2', SKEW_MS = '0', LIMIT_USD = '1', LIMITS_DB } = process.env

const { now } = Date
Date.now = () => now() + Number(SKEW_MS)

const limitStore = LIMITS_DB === undefined ? undefined : sqliteLimitStore({ path: LIMITS_DB })
const meter = new Meter({ limitStore, onProblem: ({ message }) => process.stderr.write(`${message}\n`) })
meter.patch('openai', { modules: [OpenAI] })

const usage = { prompt_tokens: 10, completion_tokens: 100, total_tokens: 110 }
const message = { role: 'assistant', content: 'Hello' }
const answer = {
  object: 'chat.completion',
  created: 0,
  model: 'gpt-4o',
  choices: [{ index: 0, message, finish_reason: 'stop' }],
}

let made = 0
const openai = new OpenAI({
  apiKey: 'key',
  baseURL: 'https://api.openai.com/v1',
  fetch: async () => {
    await pause(Number(CALL_MS))
    return Response.json({ id: `${process.pid}-${++made}`, ...answer, usage })
  },
})
const request = { model: 'gpt-4o', max_tokens: 200, messages: [{ role: 'user' as const, content: 'Hi' }] }

async function work(): Promise<void> {
  for (;;) {
    const refused = await meter
      .forTenant('acme', () => openai.chat.completions.create(request))
      .then(
        () => undefined,
        (error: { code?: string }) => String(error.code),
      )
    writeSync(1, refused === undefined ? 'ok\n' : `${refused}\n`)
    if (refused !== undefined) await pause(20)
  }
}

await meter.setLimit('acme', { usd: LIMIT_USD, per: 'total', mode: 'hard' })
await Promise.all(Array.from({ length: Number(AT_ONCE) }, work))
