// An ingest endpoint in a process of its own, which goes away and comes back, and misbehaves, when it is told to.

import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { createIngest } from 'tallygate/server'
import { sqliteLedger } from 'tallygate/sinks'

export type Manners = 'well' | 'down' | 'unwell'

const [path = '', port = '0'] = process.argv.slice(2)
const ledger = sqliteLedger({ path })
const handle = createIngest({ ledger, apiKeys: ['key'], onProblem: () => {} })
let manners: Manners = 'well'
let faults: number[] = []
let server: Server | undefined
let known = Number(port)

/** Six answers at random, of which each comes once. */
function shuffled(): number[] {
  return [0, 1, 2, 3, 4, 5]
    .map((fault) => ({ fault, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault)
}

/**
 * In equal parts: a refusal, a wait that is asked for, a socket that is reset, one of which only this half is closed and
 * no answer ever comes, an answer that is cut, and what is right.
 */
async function answer(request: Request, socket: Socket): Promise<Response | undefined> {
  if (manners === 'unwell' && faults.length === 0) faults = shuffled()
  switch (manners === 'unwell' ? faults.pop() : 5) {
    case 0:
      return new Response(null, { status: 503 })
    case 1:
      return new Response(null, { status: 429, headers: { 'retry-after': '1' } })
    case 2:
      socket.destroy()
      return undefined
    case 3:
      socket.end()
      return undefined
    case 4:
      await handle(request)
      socket.destroy()
      return undefined
    default:
      return handle(request)
  }
}

async function open(): Promise<void> {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as [string, string])
    const body = request.method === 'POST' ? { body: Buffer.concat(chunks) } : {}
    const url = `http://127.0.0.1${request.url}`
    const given = await answer(new Request(url, { method: request.method!, headers, ...body }), request.socket)
    if (given === undefined) return
    response.writeHead(given.status, Object.fromEntries(given.headers)).end(Buffer.from(await given.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server!.listen(known, '127.0.0.1', resolve))
  known = (server.address() as { port: number }).port
}

await open()
process.send!(known)
process.on('message', async (next: Manners) => {
  if (next === 'down') {
    server?.closeAllConnections()
    await new Promise((resolve) => server!.close(resolve))
  } else if (manners === 'down') await open()
  manners = next
  process.send!(known)
})
process.on('disconnect', () => process.exit(0))
