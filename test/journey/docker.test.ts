// The Dockerfile, compose.yaml and the dashboard for Grafana, as far as they can be run without Docker.

import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { readText } from '../support/source-tree.ts'
import { parseYaml } from '../support/yaml.ts'

const KEY = 'a-key-of-the-test'
/** An instruction may go on after a backslash. */
const instructions = readText('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter(Boolean)
  .map((line) => line.split(/ (.*)/s) as [string, string])
const all = (name: string) => instructions.filter(([instruction]) => instruction === name).map(([, rest]) => rest)
/** What the image sets for Node and for itself, but for the folder, which is the test's own. */
const { TALLYGATE_DIR: _, ...environment } = Object.fromEntries(
  all('ENV').flatMap((line) => line.split(' ').map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string])),
)
const list = (name: string) => JSON.parse(/\[.*\]/.exec(all(name).at(-1) ?? '')?.[0] ?? '[]') as string[]

interface Service {
  readonly environment: Record<string, string>
  readonly depends_on?: Record<string, { condition: string }>
  readonly [name: string]: unknown
}
const { services, volumes } = parseYaml(readText('compose.yaml')) as unknown as {
  services: Record<'tallygate' | 'db', Service>
  volumes: Record<string, unknown>
}

let database: Promise<TestPostgres> | undefined
afterAll(async () => (await database)?.[Symbol.asyncDispose]())

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The command of the image, with its environment, on a port of its own. */
async function serving(env: NodeJS.ProcessEnv) {
  const port = await freePort()
  const running = start(folder(), [...list('CMD'), '--port', String(port)], {
    ...environment,
    TALLYGATE_API_KEY: KEY,
    ...env,
  })
  onTestFinished(() => void running.process.kill('SIGKILL'))
  await running.until(/Listening on /)
  return { ...running, port }
}

describe('the image', () => {
  test('begins the command line, as nobody in particular', () => {
    expect(list('ENTRYPOINT')).toEqual(['node', '/app/node_modules/tallygate/dist/cli/main.js'])
    expect(all('USER')).toEqual(['node'])
    const after = instructions.findIndex(([name]) => name === 'USER')
    expect(instructions.slice(after).map(([name]) => name)).not.toContain('RUN')
    expect(all('EXPOSE')).toEqual(['8787'])
    expect(all('FROM').every((image) => /^node:24-slim( AS build)?$/.test(image))).toBe(true)
  })

  test('starts with what its last line says, is healthy, and ends when it is told', async () => {
    const dir = folder()
    const server = await serving({ TALLYGATE_DIR: dir })
    const check = list('HEALTHCHECK').map((part) => part.replaceAll('8787', String(server.port)))
    const healthy = () => promisify(execFile)(process.execPath, check.slice(1))
    expect(check[0]).toBe('node')
    await healthy()
    const page = await fetch(`http://127.0.0.1:${server.port}/`)
    expect(await page.text()).toContain('<html')
    server.process.kill(all('STOPSIGNAL')[0] as NodeJS.Signals)
    expect((await server.finished).exitCode).toBe(0)
    await expect(healthy()).rejects.toMatchObject({ code: 1 })
    const { stdout } = await run(folder(), ['report'], { TALLYGATE_DIR: dir })
    expect(stdout).toContain('No calls.')
  })

  test('does not start without a key', async () => {
    const { exitCode, stderr } = await run(folder(), list('CMD'), { TALLYGATE_DIR: folder() })
    expect([exitCode, stderr.split('\n').length]).toEqual([2, 2])
  })
})

describe('compose.yaml', () => {
  test('waits for the database, keeps it, and lets nobody in from elsewhere', () => {
    const { tallygate, db } = services
    expect(tallygate.depends_on).toEqual({ db: { condition: 'service_healthy' } })
    expect(db['healthcheck']).toBeDefined()
    expect(tallygate['ports']).toEqual(['127.0.0.1:8787:8787'])
    expect(db['ports']).toBeUndefined()
    expect(Object.keys(volumes)).toEqual((db['volumes'] as string[]).map((volume) => volume.split(':')[0]))
    expect([tallygate['read_only'], tallygate['cap_drop']]).toEqual(['true', ['ALL']])
    for (const { environment } of Object.values(services))
      for (const [name, value] of Object.entries(environment))
        if (/KEY|PASSWORD|URL/.test(name)) expect(value).toMatch(/\$\{\w+:\?\}/)
  })

  test('starts over a real PostgreSQL with the environment that it gives, and is empty of files of its own', async () => {
    const { url } = await (database ??= startPostgres())
    const names = services.tallygate.environment
    expect(Object.keys(names)).toEqual(['TALLYGATE_DATABASE_URL', 'TALLYGATE_API_KEY'])
    const server = await serving({ TALLYGATE_DATABASE_URL: url })
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
    const base = `http://127.0.0.1:${server.port}`
    expect((await fetch(`${base}/readyz`)).status).toBe(200)
    const body = JSON.stringify({ usd: '5', per: 'day' })
    expect((await fetch(`${base}/v1/limits/acme`, { method: 'PUT', headers, body })).status).toBe(200)
    const { changes } = (await (await fetch(`${base}/v1/changes`, { headers })).json()) as {
      changes: { what: string }[]
    }
    expect(changes.map(({ what }) => what).sort()).toEqual(['key.added', 'limit.set'])
    server.process.kill('SIGTERM')
    expect(await server.finished).toMatchObject({ exitCode: 0, stderr: '' })
  })
})

describe('docs/grafana.json', () => {
  const text = readText('docs/grafana.json')
  const { panels } = JSON.parse(text) as { panels: { title: string; targets: { expr: string }[] }[] }
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

  test('asks for metrics and labels that the server has, and leaves none out', async () => {
    const server = await serving({ TALLYGATE_DIR: folder() })
    const headers = { authorization: `Bearer ${KEY}` }
    const base = `http://127.0.0.1:${server.port}`
    await fetch(`${base}/v1/limits/acme`, { headers })
    const samples = (await (await fetch(`${base}/metrics`, { headers })).text())
      .split('\n')
      .filter((line) => /^[a-z]/.test(line))
    const names = new Set(samples.map((line) => /^[a-z_]+/.exec(line)![0]))
    const asked = new Set(expressions.flatMap((expr) => expr.match(/\b(?:tallygate|process)_[a-z_]+/g) ?? []))
    expect([...asked].sort()).toEqual([...names].sort())
    const labels = new Set(samples.flatMap((line) => [...line.matchAll(/([a-z]+)="/g)].map(([, label]) => label)))
    const grouped = expressions.flatMap((expr) =>
      [...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, by]) => by!.split(', ')),
    )
    // What Prometheus adds by itself.
    for (const label of grouped) if (label !== 'instance') expect(labels).toContain(label)
  })

  test('places its panels beside each other, each with a query of its own', () => {
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
    for (const { targets } of panels) expect(targets.length).toBeGreaterThan(0)
  })
})

test('what docs/docker.md names is there', () => {
  const page = readText('docs/docker.md')
  for (const [, name] of page.matchAll(/`((?:Dockerfile|compose\.yaml|docs\/grafana\.json))`/g))
    expect(readText(name!).length).toBeGreaterThan(0)
})
