// What the doctor says of copies of SDKs: found, patched, tried, and what takes over where a patch finds no waist.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import OpenAI from 'openai'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { Meter } from '../../src/index.ts'
import { diagnose, examine } from '../../src/meter/doctor.ts'
import { memorySink } from '../../src/sinks/index.ts'

const require = createRequire(import.meta.url)

/** An application: `files` as they are, and links to SDKs that are installed here. */
function appWith(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tallygate-doctor-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  for (const [name, target] of Object.entries(links)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    symlinkSync(target, join(folder, name))
  }
  return folder
}

/** A major that does not exist yet: its client has no `makeRequest` any more, and calls `fetch`. */
const MOVED = {
  'node_modules/openai/package.json': '{ "name": "openai", "version": "99.1.0", "main": "index.js" }',
  'node_modules/openai/index.js': `
    exports.OpenAI = class OpenAI {
      constructor(options) { this.options = options }
      async ask(body) {
        const response = await fetch(this.options.baseURL + '/chat/completions', {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: 'Bearer any' },
          body: JSON.stringify(body),
        })
        return response.json()
      }
    }`,
}

const of = (report: ReturnType<typeof examine>, name: string) => report.sdks.find(({ sdk }) => sdk === name)!

describe('an application in a folder', () => {
  test('each build of each copy, with its version, and which of them are patched', () => {
    const folder = appWith({}, { 'node_modules/openai': dirname(require.resolve('openai')) })
    const report = examine(folder)
    expect(of(report, 'openai')).toMatchObject({
      packageName: 'openai',
      tested: '4.0 to 7.57',
      copies: [
        { format: 'cjs', version: '6.49.0', isPatched: true, support: 'tested' },
        { format: 'esm', version: '6.49.0', isPatched: true, support: 'tested' },
      ],
    })
    expect(of(report, 'anthropic').copies).toEqual([])
    expect(report.advice).toEqual([])
  })

  test('a bundler that is installed is no reason for advice where every SDK is found', () => {
    const manifest = { dependencies: { openai: '6.49.0' }, devDependencies: { tsup: '8.5.0', rollup: '4.0.0' } }
    const folder = appWith(
      { 'package.json': JSON.stringify(manifest) },
      { 'node_modules/openai': dirname(require.resolve('openai')) },
    )
    expect(examine(folder).advice).toEqual([])
    const past = { 'api.openai.com': { provider: 'openai', seen: 5, metered: 3 } }
    expect(diagnose({ sdks: [] }, past, folder).advice).toContainEqual(expect.stringContaining('bundler'))
  })

  test('a version beyond those that were tried, whose waist has moved', () => {
    const report = examine(appWith(MOVED))
    expect(of(report, 'openai').copies).toMatchObject([
      { format: 'cjs', version: '99.1.0', isPatched: false, support: 'newer', reason: expect.any(String) },
    ])
    expect(report.advice).toContainEqual(
      expect.stringContaining('openai 99.1.0 is outside of the versions that were tried'),
    )
    expect(report.advice).toContainEqual(
      expect.stringMatching(
        /^A copy of openai could not be patched, .*: it has no client class that the patch knows\./,
      ),
    )
  })

  test('a copy that something has frozen is told of, with why and what to do', () => {
    const frozen = (how: string) =>
      appWith({
        'node_modules/openai/package.json': '{ "name": "openai", "version": "6.49.0", "main": "index.js" }',
        'node_modules/openai/index.js': `
          class OpenAI { makeRequest() {} shouldRetry() {} }
          ${how}
          module.exports = { OpenAI, default: OpenAI }`,
      })
    const said = (how: string) => {
      const report = examine(frozen(how))
      return [of(report, 'openai').copies[0]!.reason, report.advice]
    }
    for (const [how, why] of [
      ['Object.freeze(OpenAI.prototype)', 'it is frozen.'],
      ['Object.seal(OpenAI.prototype)', 'it is sealed.'],
      [
        "Object.defineProperty(OpenAI.prototype, 'makeRequest', { configurable: false, writable: false })",
        'one of its methods is fixed, and cannot be replaced.',
      ],
    ] as const)
      expect(said(how), how).toEqual([
        why,
        [
          `A copy of openai could not be patched, and only calls through \`fetch\` are metered: ${why} Where that is not enough, hand over its class with \`meter.patch('openai', { modules: [...] })\` as soon as it is loaded, or its clients to \`meter.wrap(client)\`; docs/loading.md of the package says more.`,
        ],
      ])
  })

  test('what its own manifest gives cause for', () => {
    const advice = (manifest: object, files: Readonly<Record<string, string>> = {}) =>
      examine(appWith({ 'package.json': JSON.stringify(manifest), ...files })).advice
    expect(advice({ dependencies: { next: '16.4.6' } })).toEqual([expect.stringContaining('serverExternalPackages')])
    expect(
      advice(
        { dependencies: { next: '16.4.6' } },
        { 'next.config.ts': "export default { serverExternalPackages: ['openai'] }" },
      ),
    ).toEqual([])
    // An SDK that the application names and that is not there may be in its bundle.
    expect(advice({ dependencies: { openai: '6.49.0' }, devDependencies: { esbuild: '0.28.2' } })).toEqual([
      expect.stringContaining('bundler'),
    ])
    expect(advice({ devDependencies: { esbuild: '0.28.2' } })).toEqual([])
    expect(advice({ dependencies: { express: '5.3.0' } })).toEqual([])
    expect(examine(appWith({ 'package.json': 'no JSON' })).advice).toEqual([])
  })
})

describe('a meter', () => {
  function meterIn() {
    const problems: string[] = []
    const sink = memorySink()
    return {
      problems,
      sink,
      of: (hosts: Readonly<Record<string, string>>) => {
        const meter = new Meter({
          sinks: [sink],
          hosts,
          onMissingTenant: 'record',
          onProblem: ({ message }) => void problems.push(message),
        })
        onTestFinished(() => meter.close())
        return meter
      },
    }
  }

  test('that has patched nothing names what it could patch, and loads none of it', () => {
    const { of } = meterIn()
    const { sdks, coverage, node } = of({}).doctor()
    expect(node).toBe(process.versions.node)
    expect(coverage).toEqual({})
    const [openai] = sdks
    expect(openai!.copies.length).toBeGreaterThanOrEqual(2)
    expect(openai!.copies.every(({ isPatched, reason }) => !isPatched && reason?.includes('patchAll()'))).toBe(true)
  })

  test('has what was handed over in its report', () => {
    const meter = meterIn().of({})
    meter.patch('openai', { modules: [OpenAI] })
    expect(meter.doctor().sdks[0]!.copies[0]).toEqual({
      path: undefined,
      format: 'given',
      version: undefined,
      isPatched: true,
      support: 'unknown',
    })
    meter.unpatch('openai')
    expect(meter.doctor().sdks[0]!.copies.some(({ isPatched }) => isPatched)).toBe(false)
  })

  test('says once of a copy without a waist that it has none, and meters its calls through `fetch`', async () => {
    const emulator = await startEmulator()
    onTestFinished(() => emulator.close())
    const { problems, sink, of } = meterIn()
    const meter = of(emulator.hosts)
    const { OpenAI: Moved } = createRequire(join(appWith(MOVED), 'index.js'))('openai')
    expect(meter.patch('openai', { modules: [Moved] }).status).toBe('failed')
    expect(meter.patch('openai', { modules: [Moved] }).status).toBe('failed')
    const answer = await new Moved(emulator.openai).ask({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: 'Hi' }],
    })
    expect(answer.choices).toHaveLength(1)
    await meter.flush()
    expect(sink.events).toMatchObject([{ provider: 'openai', endpoint: 'chat.completions', usageSource: 'reported' }])
    expect(problems).toEqual([expect.stringContaining('only its calls through `fetch` are metered')])
    meter.unpatch('openai')
    await new Moved(emulator.openai).ask({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] })
    await meter.flush()
    expect(sink.events).toHaveLength(1)
  })

  test('says why `fetch` could not be patched, and that calls are missed', () => {
    const { of, problems } = meterIn()
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'fetch')!
    const { fetch } = globalThis
    // What is fixed once is fixed for good: a stand-in for the global object's own property.
    const spy = vi
      .spyOn(Object, 'getOwnPropertyDescriptor')
      .mockImplementation((object, name) =>
        object === globalThis && name === 'fetch'
          ? { value: fetch, configurable: false, writable: false }
          : Reflect.getOwnPropertyDescriptor(object as object, name),
      )
    const meter = of({})
    const report = meter.patch('fetch')
    spy.mockRestore()
    expect(Object.getOwnPropertyDescriptor(globalThis, 'fetch')).toEqual(descriptor)
    const reason = 'There is no `globalThis.fetch` here that can be replaced.'
    expect(report).toEqual({ sdk: 'fetch', status: 'failed', copies: [], reason })
    expect(problems).toEqual([`\`globalThis.fetch\` could not be patched, so no call is metered by it: ${reason}`])
    expect(meter.doctor().advice).toContainEqual(
      `\`globalThis.fetch\` could not be patched, so calls that no SDK patch sees are not metered: ${reason} Call \`meter.patchAll()\` before whatever makes it read-only.`,
    )
    expect(meter.patch('fetch')).toEqual({ sdk: 'fetch', status: 'patched', copies: [] })
    expect(meter.doctor().advice.some((sentence) => sentence.includes('globalThis.fetch'))).toBe(false)
  })

  test('lets a copy be that answers in another shape, and says so', async () => {
    const { problems, sink, of } = meterIn()
    const meter = of({})
    class OpenAIOf9 {
      baseURL = 'https://api.openai.com/v1'
      async makeRequest() {
        return { text: 'an answer' }
      }
    }
    meter.patch('openai', { modules: [OpenAIOf9] })
    const request = { method: 'post', path: '/chat/completions', body: { model: 'gpt-4o', messages: [] } }
    const call = new OpenAIOf9() as unknown as { makeRequest(request: object): Promise<unknown> }
    expect(await call.makeRequest(request)).toEqual({ text: 'an answer' })
    await meter.flush()
    expect(sink.events).toHaveLength(1)
    expect(problems).toContainEqual(expect.stringContaining('in a shape that is not known'))
  })
})

test('what went past stands among the advice', () => {
  const coverage = {
    'api.openai.com': { provider: 'openai', seen: 5, metered: 3 },
    'api.x.ai': { provider: 'xai', seen: 1, metered: 1 },
  }
  const { advice } = diagnose({ sdks: [] }, coverage, appWith({}))
  expect(advice).toEqual([expect.stringMatching(/^2 of 5 requests to api\.openai\.com went past the meter/)])
})
