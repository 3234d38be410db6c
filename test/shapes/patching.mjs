// The ways to patch, each with common shapes: whichever is chosen, the caller sees the SDK and a call is counted once.

import { changed, descriptorsOf } from './sdks.mjs'
import { play } from './stage.mjs'
import { difference, refused } from './verdict.mjs'

/** @returns {[title: string, check: () => Promise<string | undefined>][]} */
export function patching({ kind, name, sdk, builds, scene, present, plain, metered, verdictOf, refusal, isOlder }) {
  const shapes = present.filter(({ name }) => kind.common.includes(name))
  const nothing = () => {}
  const wrapped = (client, meter) => meter.wrap(client)
  const fail = () => {
    throw new Error('a callback of the application failed')
  }
  const throwing = { onEvent: fail, onProblem: fail, onFlushError: fail }
  const thenPatched = (client, meter) => {
    meter.patchAll()
    return client
  }
  const patchedAndBack = (meter) => {
    meter.patchAll()
    meter.unpatchAll()
  }

  /** Every shape, each on a stage of its own; the first thing that is wrong. */
  const every =
    (stageOf, judgeOne = verdictOf) =>
    async () => {
      for (const shape of shapes) {
        const wrong = await judgeOne(shape, plain.get(shape), stageOf())
        if (wrong) return `${shape.name}: ${wrong}`
      }
      return undefined
    }

  const ways = [
    ['common shapes, with a client made before patching', every(() => metered({ patch: nothing, dress: thenPatched }))],
    [
      'common shapes, patched by patch(name, { modules: [class] })',
      every(() => metered({ patch: (meter) => meter.patch(name, { modules: [kind.Client(sdk)] }) })),
    ],
    [
      'common shapes, patched by patch(name, { modules: [module] })',
      every(() => metered({ patch: (meter) => meter.patch(name, { modules: [sdk] }) })),
    ],
    ['common shapes, on meter.wrap(client)', every(() => metered({ patch: nothing, dress: wrapped }))],
    ['common shapes, on meter.wrap(client) with the SDK patched too', every(() => metered({ dress: wrapped }))],
    ['common shapes, patched by two meters', every(() => twice(metered(), builds.esm.Meter))],
    [
      'common shapes, patched by both builds of tallygate',
      every(() => twice(metered({ Meter: builds.esm.Meter }), builds.cjs.Meter)),
    ],
    ["common shapes, under a stranger's wrap of ours", every(() => underStranger(metered(), nothing))],
    [
      "common shapes, after unpatchAll() under a stranger's wrap",
      every(() => underStranger(metered(), (meter) => meter.unpatchAll()), inert),
    ],
    ['common shapes, after unpatchAll()', every(() => metered({ patch: patchedAndBack }), inert)],
    [
      'common shapes, on a client wrapped by one build, the SDK patched by the other',
      every(() => twice(metered({ patch: nothing, dress: wrapped, Meter: builds.esm.Meter }), builds.cjs.Meter)),
    ],
    ['common shapes, with callbacks that throw', every(() => metered({ options: throwing }), unseen)],
    ['common shapes, unpatchAll() in their middle', every(() => leaving((meter) => meter.unpatchAll()), unseen)],
    ['common shapes, the meter closed in their middle', every(() => leaving((meter) => void meter.close()), unseen)],
    ['unpatchAll() restores every property', restoresAll],
    ['a second meter goes on when the first is closed', goesOn],
    ['a stream made for one tenant and read for another', keepsTenant],
    ['a limit reached between two exchanges of a loop', stopsLoops],
  ]
  if (kind.Client(sdk).prototype.withOptions) {
    const clone = (client) => client.withOptions({ maxRetries: client.maxRetries })
    ways.push(
      ['common shapes, on a withOptions() clone', every(() => metered({ dress: clone }))],
      [
        'common shapes, on a withOptions() clone of meter.wrap(client)',
        every(() => metered({ patch: nothing, dress: (client, meter) => clone(meter.wrap(client)) })),
      ],
    )
  }
  return ways

  /** Nothing is counted, and nothing is to be seen. */
  async function inert(shape, unpatched, stage) {
    const expected = { ...shape.expected, finish: undefined }
    stage.state.shape = { ...shape, expected }
    const run = await play(stage.state.shape, stage)
    return difference(expected, unpatched, run) ?? (run.events.length > 0 ? `${run.events.length} events` : undefined)
  }

  /** Whatever is counted, the caller sees no difference. */
  async function unseen(shape, unpatched, stage) {
    stage.state.shape = { ...shape, expected: { ...shape.expected, finish: 'close' } }
    return difference(shape.expected, unpatched, await play(stage.state.shape, stage))
  }

  /** The meter goes while the caller is looking at what it got. */
  function leaving(go) {
    const stage = metered()
    return { ...stage, seen: (count) => (count === 2 ? go(stage.meter()) : undefined) }
  }

  /** A second meter that patches as well, and must hear of nothing. */
  function twice(stage, Second) {
    const heard = []
    // It says that it will hear of nothing, which is right.
    const complaints = []
    let second
    return {
      ...stage,
      begins(emulator) {
        stage.begins(emulator)
        second = stage.makeMeter(Second, emulator, heard, complaints)
        second.patchAll()
      },
      async ends(emulator) {
        const events = await stage.ends(emulator)
        await second.close()
        return [...events, ...heard]
      },
      leave: () => Promise.all([stage.leave(), second?.close()]),
    }
  }

  /** Somebody wraps the method that we have wrapped, and stays when we go. */
  function underStranger(stage, then) {
    let owner
    let original
    let stranger
    let calls = 0
    return {
      ...stage,
      begins(emulator) {
        owner = kind.waist(kind.makeClient(sdk, emulator))
        original = Object.getOwnPropertyDescriptor(owner, kind.wrap)
        stage.begins(emulator)
        const inner = owner[kind.wrap]
        stranger = function (...args) {
          calls++
          return inner.apply(this, args)
        }
        owner[kind.wrap] = stranger
        then(stage.meter())
      },
      async ends(emulator) {
        const events = await stage.ends(emulator)
        const isThere = owner[kind.wrap] === stranger
        Object.defineProperty(owner, kind.wrap, original)
        if (!isThere) throw new Error("the stranger's wrap was removed")
        if (calls === 0 && kind.wrap === 'makeRequest') throw new Error("the stranger's wrap was not called")
        return events
      },
    }
  }

  async function restoresAll() {
    const emulator = await scene.startEmulator()
    try {
      const client = kind.makeClient(sdk, emulator)
      const before = descriptorsOf(client, await kind.stream(client))
      const stage = metered()
      stage.begins(emulator)
      await kind.stream(client)
      if (!changed(before, descriptorsOf(client, await kind.stream(client)))) return 'nothing was patched'
      stage.meter().unpatchAll()
      const wrong = changed(before, descriptorsOf(client, await kind.stream(client)))
      const wrapping = metered({ patch: nothing })
      wrapping.begins(emulator)
      const own = Reflect.ownKeys(client).length
      wrapping.meter().wrap(client)
      wrapping.meter().unpatchAll()
      await Promise.all([stage.meter().close(), wrapping.meter().close()])
      if (Reflect.ownKeys(client).length !== own) return 'a wrapped client keeps our properties'
      return wrong
    } finally {
      await emulator.close()
    }
  }

  async function goesOn() {
    const emulator = await scene.startEmulator()
    try {
      const [first, second] = [metered(), metered()]
      first.state.shape = second.state.shape = { expected: {} }
      first.begins(emulator)
      second.begins(emulator)
      const client = kind.makeClient(sdk, emulator)
      await kind.stream(client)
      const before = await first.ends()
      await kind.stream(client)
      const after = await second.ends()
      await kind.stream(client)
      return before.length === 1 && after.length === 1 ? undefined : `${before.length} and ${after.length} events`
    } finally {
      await emulator.close()
    }
  }

  async function keepsTenant() {
    const emulator = await scene.startEmulator()
    try {
      for (const dress of [undefined, wrapped]) {
        const stage = metered({ dress, ...(dress && { patch: nothing }) })
        stage.state.shape = { expected: {} }
        stage.begins(emulator)
        const made = kind.makeClient(sdk, emulator)
        const client = dress ? dress(made, stage.meter()) : made
        const streams = await stage.meter().forTenant('acme', () => kind.openStreams(client, emulator))
        await stage.meter().forTenant('other', async () => {
          for (const stream of streams) for await (const _ of stream);
        })
        const events = await stage.ends()
        const tenants = events.map(({ tenantId }) => tenantId)
        if (events.length < streams.length || tenants.some((tenantId) => tenantId !== 'acme'))
          return `events of ${tenants.join(', ')}${dress ? ' on a wrapped client' : ''}`
      }
      return undefined
    } finally {
      await emulator.close()
    }
  }

  /** Tool runners and automatic function calling: the first exchange spends the money that the second would need. */
  async function stopsLoops() {
    const loops = shapes.filter(({ name, expected }) => expected.events === 2 && /tool|function calling/i.test(name))
    if (loops.length < 2) return isOlder ? undefined : 'there are no loops among the common shapes'
    for (const shape of loops) {
      const stage = metered({ usd: '0.000000001' })
      stage.state.shape = shape
      const run = await play(shape, stage)
      const wrong =
        (run.wire.length === 1 ? undefined : `${run.wire.length} requests in place of 1`) ??
        (run.events.length === 1 ? undefined : `${run.events.length} events in place of 1`) ??
        refused({ ...run, wire: [], events: [] }, refusal)
      if (wrong) return `${shape.name}: ${wrong}`
    }
    return undefined
  }
}
