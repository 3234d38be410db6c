// A hundred tenants at once, over everything that carries or loses an async context: no event under a wrong tenant.
//
// Plain JavaScript over the built package, for Nodes that the test suite does not run on: `node --test test/tenants/*.mjs`.
// Every call says in its `max_tokens` who makes it, which its event repeats under `metadata`, beside the tenant it is billed to.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { createRequire } from 'node:module'
import { after, before, beforeEach, describe, test } from 'node:test'
import express from 'express'
import { Meter } from 'tallygate'
import { startEmulator } from 'tallygate/emulator'
import { memorySink } from 'tallygate/sinks'

// The SDK majors that a bare install gives on the oldest Node.
const app = createRequire(new URL('../apps/current/package.json', import.meta.url))
const { OpenAI } = app('openai')
const { Anthropic } = app('@anthropic-ai/sdk')
const { GoogleGenAI } = app('@google/genai')

const TENANTS = 100
const NOBODY = 0
const messages = [{ role: 'user', content: 'Hi' }]

/** The same in every run. */
let seed = 20261122
function random(below) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed % below
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
// Timers are one of the ways by which a context could get lost: nothing waits for a state here.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const pause = () => [turn, () => sleep(random(4)), () => Promise.resolve()][random(3)]()
const name = (tenant) => `tenant-${tenant}`
const tenants = Array.from({ length: TENANTS }, (_, i) => i + 1)
const inAll = (fn) => Promise.all(tenants.map((tenant) => meter.forTenant(name(tenant), () => fn(tenant))))

let meter
let emulator
let sink
let problems
let openai
let anthropic
let google
let calls

before(async () => {
  emulator = await startEmulator()
  openai = new OpenAI({ apiKey: 'key', baseURL: emulator.openai.baseURL })
  anthropic = new Anthropic({ apiKey: 'key', baseURL: emulator.anthropic.baseURL })
  google = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: emulator.google.baseURL } })
  sink = memorySink()
  problems = []
  meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    maxQueueSize: 100_000,
    onMissingTenant: 'record',
    onProblem: (problem) => problems.push(problem.message),
  })
  meter.patch('openai', { modules: [OpenAI] })
  meter.patch('anthropic', { modules: [Anthropic] })
  meter.patch('google', { modules: [GoogleGenAI] })
})

after(async () => {
  await meter.close()
  await emulator.close()
})

beforeEach(() => {
  calls = 0
  sink.clear()
  emulator.reset()
})

/** Every call made since the test began has one event, and the tenant of each is who made it. */
async function everybodyPaysForTheirOwn() {
  await meter.flush()
  const wrong = sink.events.filter(({ tenantId, metadata }) => {
    const who = (metadata.max_tokens ?? metadata.maxOutputTokens ?? metadata.max_output_tokens) - 1000
    return tenantId !== (who === NOBODY ? undefined : name(who))
  })
  assert.deepEqual(
    wrong.map(({ tenantId, endpoint, metadata }) => ({ tenantId, endpoint, metadata })),
    [],
  )
  assert.equal(sink.events.length, calls)
  assert.deepEqual(problems, [])
}

// The ways to make a call. `who` is 0 for nobody.

function chat(who) {
  calls++
  return openai.chat.completions.create({ model: 'gpt-4o', messages, max_tokens: 1000 + who })
}

function chatStream(who) {
  calls++
  return openai.chat.completions.create({ model: 'gpt-4o', messages, max_tokens: 1000 + who, stream: true })
}

async function read(stream) {
  for await (const _ of await stream) if (random(3) === 0) await pause()
}

const WAYS = [
  chat,
  (who) => read(chatStream(who)),
  async (who) => {
    // Broken off: settled when the reader leaves.
    for await (const _ of await chatStream(who)) break
  },
  (who) => {
    calls++
    return openai.chat.completions.stream({ model: 'gpt-4o', messages, max_tokens: 1000 + who }).finalMessage()
  },
  async (who) => (await chat(who).asResponse()).json(),
  (who) => chat(who).withResponse(),
  (who) => {
    calls++
    return anthropic.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 1000 + who, messages })
  },
  (who) => {
    calls++
    return anthropic.messages.stream({ model: 'claude-sonnet-4-6', max_tokens: 1000 + who, messages }).finalMessage()
  },
  (who) => {
    calls++
    const config = { maxOutputTokens: 1000 + who }
    return google.models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hi', config })
  },
  (who) => {
    calls++
    const config = { maxOutputTokens: 1000 + who }
    return read(google.models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'Hi', config }))
  },
]

const anyWay = (who) => WAYS[random(WAYS.length)](who)

describe('a hundred tenants at once', () => {
  test('each way to call each SDK', async () => {
    for (const way of WAYS) {
      await inAll(async (tenant) => {
        await pause()
        await way(tenant)
      })
    }
    await everybodyPaysForTheirOwn()
  })

  test('callbacks: timers, ticks, microtasks, intervals', async () => {
    const later = (schedule, who) => new Promise((resolve) => schedule(() => resolve(anyWay(who))))
    await inAll(async (tenant) => {
      await later((run) => setTimeout(run, random(5)), tenant)
      await later(setImmediate, tenant)
      await later(process.nextTick, tenant)
      await later(queueMicrotask, tenant)
      await later((run) => {
        const timer = setInterval(() => {
          clearInterval(timer)
          run()
        }, 1)
      }, tenant)
    })
    await everybodyPaysForTheirOwn()
  })

  test('streams opened by one and read when everybody else is at work', async () => {
    const streams = await inAll(async (tenant) => ({ stream: await chatStream(tenant) }))
    // Out of their tenants, in another order, in the name of others.
    for (const { stream } of streams.reverse()) await meter.forTenant(name(1 + random(TENANTS)), () => read(stream))
    await everybodyPaysForTheirOwn()
  })

  test('promises made by one and awaited by another', async () => {
    const promises = []
    await inAll(async (tenant) => {
      await pause()
      promises.push(chat(tenant))
    })
    await inAll((tenant) => promises[tenant % promises.length])
    await Promise.all(promises)
    await everybodyPaysForTheirOwn()
  })

  test('thenables, and thenables of thenables', async () => {
    const thenable = (value) => ({
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tried here
      then(resolve) {
        setTimeout(() => resolve(value), random(3))
      },
    })
    await inAll(async (tenant) => {
      await thenable(thenable(tenant))
      await chat(tenant)
      await thenable(anyWay(tenant))
    })
    await everybodyPaysForTheirOwn()
  })

  test('generators, sync and async, that are left half-way', async () => {
    async function* asking(tenant) {
      try {
        for (;;) {
          await pause()
          yield await chat(tenant)
        }
      } finally {
        await chat(tenant)
      }
    }
    function* making(tenant) {
      for (;;) yield chat(tenant)
    }
    await inAll(async (tenant) => {
      let turns = 0
      for await (const _ of asking(tenant)) if (++turns === 2) break
      const made = making(tenant)
      await made.next().value
      await pause()
      await made.next().value
    })
    await everybodyPaysForTheirOwn()
  })

  test('work that one tenant queues and a worker does in its name', async () => {
    const jobs = []
    await inAll(async (tenant) => {
      jobs.push({ tenant })
    })
    const work = async () => {
      for (let job = jobs.pop(); job; job = jobs.pop()) {
        const { tenant } = job
        await meter.forTenant(name(tenant), () => anyWay(tenant))
        // Between two jobs nobody pays.
        await chat(NOBODY)
      }
    }
    await Promise.all([work(), work(), work(), work()])
    await everybodyPaysForTheirOwn()
  })

  test('tenants within tenants, labels within labels, events emitted', async () => {
    const emitter = new EventEmitter()
    emitter.setMaxListeners(0)
    const heard = []
    emitter.on('call', (who) => heard.push(anyWay(who)))
    await inAll(async (tenant) => {
      const other = 1 + (tenant % TENANTS)
      await meter.attribute({ feature: 'outer', tags: { tenant } }, async () => {
        await pause()
        await meter.forTenant(name(other), async () => {
          await pause()
          await anyWay(other)
        })
        await anyWay(tenant)
      })
      // A listener runs for whoever emits.
      emitter.emit('call', tenant)
    })
    await Promise.all(heard)
    await everybodyPaysForTheirOwn()
  })

  test('calls that are retried, and calls that fail', async () => {
    emulator.reply({ status: 500, times: 60, headers: { 'retry-after-ms': '1' } }, { status: 400, times: 20 })
    await inAll(async (tenant) => {
      await chat(tenant).catch(() => {})
      await pause()
      await chat(tenant).catch(() => {})
    })
    await everybodyPaysForTheirOwn()
  })
})

describe('requests of HTTP servers over sockets that stay open', () => {
  const agents = []
  after(() => {
    for (const agent of agents) agent.destroy()
  })

  /** Half as many again as there are tenants: every third has none, and must not get the one before it on its socket. */
  const VISITORS = Array.from({ length: (TENANTS * 3) / 2 }, (_, i) =>
    i % 3 === 2 ? NOBODY : i - Math.floor(i / 3) + 1,
  )

  /** Lets all of them in over four sockets. */
  async function hammer(server, { before = () => {}, late = [] } = {}) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
    agents.push(agent)
    const ask = async (who) => {
      before(who)
      const headers = who === NOBODY ? {} : { 'x-who': String(who) }
      const request = http.request({ host: '127.0.0.1', port: server.address().port, agent, headers }).end()
      const [response] = await once(request, 'response')
      for await (const _ of response);
      assert.equal(response.statusCode, 200)
    }
    await Promise.all(VISITORS.map(ask))
    agent.destroy()
    server.close()
    await Promise.all(late)
    await everybodyPaysForTheirOwn()
  }

  const whoOf = (request) => Number(request.headers['x-who'] ?? NOBODY)
  const identify = (who) => {
    if (who !== NOBODY) meter.setTenant(name(who))
  }

  test('node:http, a handler that sets the tenant at once', () =>
    hammer(
      http.createServer(async (request, response) => {
        const who = whoOf(request)
        identify(who)
        await anyWay(who)
        response.end()
      }),
    ))

  test('node:http, an async handler that looks the tenant up first', () =>
    hammer(
      http.createServer(async (request, response) => {
        const who = whoOf(request)
        const lookUp = async () => {
          await pause()
          identify(who)
        }
        await lookUp()
        await pause()
        await anyWay(who)
        response.end()
      }),
    ))

  test('node:http, the tenant set when the body has come, the call made when the answer has gone', () => {
    const late = []
    const server = http.createServer((request, response) => {
      const who = whoOf(request)
      request.on('end', () => {
        identify(who)
        late.push(once(response, 'finish').then(() => anyWay(who)))
        response.end()
      })
      request.resume()
    })
    return hammer(server, { late })
  })

  test('node:http, forTenant around the handler', () =>
    hammer(
      http.createServer(async (request, response) => {
        const who = whoOf(request)
        if (who === NOBODY) await anyWay(who)
        else await meter.forTenant(name(who), () => anyWay(who))
        response.end()
      }),
    ))

  test('a server that is asked by a tenant of its own process serves nobody until it is told', () =>
    hammer(
      http.createServer(async (_, response) => {
        await anyWay(NOBODY)
        response.end()
      }),
      { before: (who) => meter.setTenant(name(who === NOBODY ? 1 : who)) },
    ))

  test('express, middleware that awaits before it sets the tenant', () => {
    const shop = express()
    shop.use(express.json())
    shop.use(async (request, _, next) => {
      await pause()
      identify(whoOf(request))
      next()
    })
    shop.get('/', async (request, response) => {
      await pause()
      await anyWay(whoOf(request))
      response.end()
    })
    return hammer(http.createServer(shop))
  })

  test('express, middleware that sets it and goes on', () => {
    const shop = express()
    shop.use((request, _, next) => {
      identify(whoOf(request))
      next()
    })
    shop.get('/', (request, response, next) => {
      anyWay(whoOf(request)).then(() => response.end(), next)
    })
    return hammer(http.createServer(shop))
  })

  // Node 20 tells nobody when a stream of HTTP/2 starts: `forTenant` is the way there.
  const [major, minor] = process.versions.node.split('.').map(Number)
  const isSilent = major < 22 || (major === 22 && minor < 23)
  test('http2, streams of one session', { skip: isSilent && 'needs Node 22.23' }, async () => {
    const server = http2.createServer(async (request, response) => {
      const who = whoOf(request)
      await pause()
      identify(who)
      await pause()
      await anyWay(who)
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = http2.connect(`http://127.0.0.1:${server.address().port}`)
    await Promise.all(
      VISITORS.map(async (who) => {
        const stream = session.request(who === NOBODY ? {} : { 'x-who': String(who) })
        stream.resume()
        await once(stream, 'end')
      }),
    )
    session.close()
    server.close()
    await everybodyPaysForTheirOwn()
  })
})
