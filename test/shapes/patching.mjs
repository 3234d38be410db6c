// The ways to patch, each with every shape: whichever is chosen, the caller sees the SDK and a call is counted once.

import { changed, descriptorsOf } from './sdks.mjs'
import { play } from './stage.mjs'
import { difference } from './verdict.mjs'

/** @returns {[title: string, check: () => Promise<string | undefined>][]} */
export function patching({ kind, name, sdk, builds, scene, present, plain, metered, verdictOf }) {
  const shapes = present.filter(({ expected }) => !expected.slow)
  const nothing = () => {}
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
    ['every shape, with a client made before patching', every(() => metered({ patch: nothing, dress: thenPatched }))],
    [
      'every shape, patched by patch(name, { modules: [class] })',
      every(() => metered({ patch: (meter) => meter.patch(name, { modules: [kind.Client(sdk)] }) })),
    ],
    [
      'every shape, patched by patch(name, { modules: [module] })',
      every(() => metered({ patch: (meter) => meter.patch(name, { modules: [sdk] }) })),
    ],
    [
      'every shape, on meter.wrap(client)',
      every(() => metered({ patch: nothing, dress: (client, meter) => meter.wrap(client) })),
    ],
    [
      'every shape, on meter.wrap(client) with the SDK patched too',
      every(() => metered({ dress: (client, meter) => meter.wrap(client) })),
    ],
    ['every shape, patched by two meters', every(() => twice(metered(), builds.esm.Meter))],
    [
      'every shape, patched by both builds of tallygate',
      every(() => twice(metered({ Meter: builds.esm.Meter }), builds.cjs.Meter)),
    ],
    ["every shape, under a stranger's wrap of ours", every(() => underStranger(metered(), nothing))],
    [
      "every shape, after unpatchAll() under a stranger's wrap",
      every(() => underStranger(metered(), (meter) => meter.unpatchAll()), inert),
    ],
    ['every shape, after unpatchAll()', every(() => metered({ patch: patchedAndBack }), inert)],
    ['unpatchAll() restores every property', restoresAll],
  ]
  if (name !== 'google') {
    const clone = (client) => client.withOptions({ maxRetries: client.maxRetries })
    ways.push(
      ['every shape, on a withOptions() clone', every(() => metered({ dress: clone }))],
      [
        'every shape, on a withOptions() clone of meter.wrap(client)',
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

  /** A second meter that patches as well, and must hear of nothing. */
  function twice(stage, Second) {
    const heard = []
    let second
    return {
      ...stage,
      begins(emulator) {
        stage.begins(emulator)
        second = stage.makeMeter(Second, emulator, heard)
        second.patchAll()
      },
      async ends(emulator) {
        const events = await stage.ends(emulator)
        await second.close()
        return [...events, ...heard]
      },
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
}
