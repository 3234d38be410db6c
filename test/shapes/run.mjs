// Plays every shape of one SDK, unpatched and patched in every way, in this Node; prints what came of it as JSON.
// node --expose-gc run.mjs <sdk> <esm | cjs> <folder of the application> <folder of the built package> <all | older> [shape]

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { patching } from './patching.mjs'
import { collect } from './reading.mjs'
import { loader, SDKS, versionOf } from './sdks.mjs'
import { play } from './stage.mjs'
import { judge, refused } from './verdict.mjs'

const [name, format, folder, dist, shapesOf, only] = process.argv.slice(2)
const { startEmulator } = await import(pathToFileURL(join(dist, 'emulator/index.js')).href)
const builds = {
  esm: await import(pathToFileURL(join(dist, 'index.js')).href),
  cjs: createRequire(import.meta.url)(join(dist, 'index.cjs')),
}
const tallygate = builds[format]
const kind = SDKS[name]
const load = loader(folder, format)
const sdk = await load(kind.package)
const version = versionOf(folder, kind.package)
const limitations = JSON.parse(readFileSync(new URL('limitations.json', import.meta.url), 'utf8'))

/** What a refusal must be an instance of. */
const refusal = { APIError: kind.APIError(sdk), LimitExceededError: tallygate.LimitExceededError }
const scene = { startEmulator, sdk, load, makeClient: kind.makeClient }
const { shapes } = kind
/** Why a shape cannot be played with this version; `undefined` where it can. */
const limitOf = ({ name: shape }) =>
  limitations.find((it) => it.sdk === name && it.shapes.includes(shape) && new RegExp(it.versions).test(version))
    ?.reason

/** Takes everything and keeps nothing: what counts here is `onEvent`. */
const sink = { name: 'none', send: async () => ({ outcome: 'delivered' }) }

/** A stage with a meter, patched as `patch` says. */
function metered({
  patch = (meter) => void meter.patchAll(),
  dress,
  usd = 1000,
  Meter = tallygate.Meter,
  options,
} = {}) {
  let meter
  const events = []
  const problems = []
  const state = {}
  const makeMeter = (Class, emulator, heard, complaints) =>
    new Class({
      sinks: [sink],
      // The other SDKs would be loaded for nothing.
      patches: [name],
      hosts: emulator.hosts,
      onEvent: (event) => heard.push(event),
      onProblem: ({ kind, message }) => complaints.push(`${kind}: ${message}`),
      ...options,
    })
  return {
    ...scene,
    problems,
    state,
    makeMeter,
    meter: () => meter,
    dress: dress && ((client) => dress(client, meter)),
    begins(emulator) {
      meter = makeMeter(Meter, emulator, events, problems)
      meter.setLimit('acme', { usd })
      patch(meter)
    },
    as: (fn) => meter.forTenant('acme', fn),
    /** Whatever happened: a meter that stays would count for the next. */
    leave: () => meter?.close(),
    async ends() {
      await meter.flush()
      const { finish } = state.shape.expected
      if (finish === 'collect') await collected(() => events.length > 0, meter)
      if (finish !== 'close') Object.assign(state, pick(meter.stats()))
      await meter.close()
      if (finish === 'close') Object.assign(state, pick(meter.stats()))
      return events
    },
  }
}

const pick = ({ heldUsd, openCalls }) => ({ heldUsd, openCalls })

/** Memory is collected until what nobody holds has been noticed. */
async function collected(isDone, meter) {
  for (let round = 0; round < 40 && !isDone(); round++) {
    await collect()
    await meter.flush()
  }
}

async function verdictOf(shape, plain, stage) {
  stage.state.shape = shape
  const run = await play(shape, stage)
  const clean = !shape.expected.error && (shape.expected.source ?? 'reported') === 'reported'
  return (
    judge(shape.expected, plain, run, stage.state) ??
    (run.events.some(({ tenantId, provider }) => tenantId !== 'acme' || provider !== name)
      ? 'an event of somebody else'
      : undefined) ??
    (clean && stage.problems.length > 0 ? `a problem was reported: ${stage.problems[0]}` : undefined)
  )
}

async function refusalOf(shape) {
  if (shape.expected.events === 0) return undefined
  const stage = metered({ usd: 0 })
  stage.state.shape = { ...shape, expected: { ...shape.expected, finish: undefined } }
  const run = await play(stage.state.shape, stage)
  const wrong = refused(run, refusal)
  return wrong && `at a limit of $0: ${wrong}`
}

const guarded = (work) => work().catch((error) => `the run failed: ${error?.stack ?? error}`)

// The unpatched runs come first: nothing of ours has touched the SDK by then.
const plain = new Map()
const absent = new Map()
for (const shape of shapes) {
  if (limitOf(shape)) continue
  const run = await play(shape, scene).catch((error) => ({ thrown: error, error }))
  const why = missing(run)
  if (why) absent.set(shape, why)
  else plain.set(shape, run)
}
const present = [...plain.keys()]

/** Why this version cannot do it, patched or not: it lacks a method or a module, or never comes to an end. */
function missing({ thrown, error }) {
  if (error) return shapesOf === 'older' ? 'Not in this version.' : undefined
  const isMissing =
    thrown?.name === 'TypeError' || thrown?.code === 'MODULE_NOT_FOUND' || /^ERR_(MODULE|PACKAGE)/.test(thrown?.code)
  return isMissing && shapesOf === 'older' ? 'Not in this version.' : undefined
}

const rows = []
const add = (shape, outcome, reason) => rows.push({ shape, outcome, ...(reason && { reason }) })
for (const shape of shapes) {
  if (only && !shape.name.includes(only)) continue
  const limit = limitOf(shape) ?? absent.get(shape)
  if (limit) {
    add(shape.name, 'limitation', limit)
    continue
  }
  const wrong =
    (await guarded(() => verdictOf(shape, plain.get(shape), metered()))) ?? (await guarded(() => refusalOf(shape)))
  add(shape.name, wrong ? 'failed' : 'ok', wrong)
}

const context = {
  kind,
  name,
  sdk,
  builds,
  scene,
  present,
  plain,
  metered,
  verdictOf,
  refusal,
  isOlder: shapesOf === 'older',
}
for (const [title, check] of patching(context)) {
  if (only && !title.includes(only)) continue
  const wrong = await guarded(check)
  add(title, wrong ? 'failed' : 'ok', wrong)
}

const result = { sdk: name, package: kind.package, version, format, node: process.versions.node, rows }
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit())
