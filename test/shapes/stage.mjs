// Plays one shape on an emulator of its own and notes everything that the caller, the provider and the meter saw.

import { quiet } from './reading.mjs'
import { snapshot } from './snapshot.mjs'

/**
 * @typedef {object} Expectation what the meter has to say of a shape; what is left out is what a plain, answered call has
 * @property {number} [events] 1
 * @property {'reported' | 'partial' | 'estimated' | 'absent' | 'any'} [source] `reported`
 * @property {string} [error] none
 * @property {readonly (number | undefined)[]} [attempts] statuses of one event's attempts: `[200]`
 * @property {number} [lines] lines on the provider's bill: one an event that is not `absent`
 * @property {boolean} [unsent] nothing is sent
 * @property {boolean} [anyOrder] the calls overlap
 * @property {'close' | 'collect'} [finish] what must happen before there is an event: the meter is closed, or memory is collected
 * @property {422 | 400} [refuses] the host's answer to `stream_options`
 * @property {boolean} [slow] it waits for a timer of the SDK
 *
 * @typedef {object} Shape
 * @property {string} name
 * @property {Expectation} expected
 * @property {(cast: object) => Promise<void>} run
 */

/** Of a call whose answer never comes, in milliseconds: a crowded machine takes a while to send the request at all. */
export const LONG_ENOUGH_TO_SEND = 400

/** A list of shapes, and the way to write one into it. */
export function collection() {
  /** @type {Shape[]} */
  const shapes = []
  /** @param {string} name @param {Expectation | Shape['run']} expected @param {Shape['run']} [run] */
  const shape = (name, expected, run) => {
    if (shapes.some((other) => other.name === name)) throw new Error(`Two shapes are called ${name}`)
    shapes.push(run ? { name, expected, run } : { name, expected: {}, run: expected })
  }
  return { shapes, shape }
}

const STUCK_MS = 120_000

/**
 * @param {Shape} shape
 * @param {object} scene the SDK, how to make its client, and what to do with a client before it is used
 */
export async function play({ name, expected, run }, scene) {
  const { startEmulator, sdk, load, makeClient, dress = (client) => client, as = (fn) => fn() } = scene
  const emulator = await startEmulator({
    now: () => new Date('2026-11-20T12:00:00Z'),
    ...(expected.refuses && { rejectStreamOptions: expected.refuses }),
  })
  const lines = []
  let thrown
  /** In a host that refuses a request, the ids of those that follow are one higher. */
  const anonymous = (line) => (expected.refuses ? line.replace(/0{6}\d\d/g, 'SERIAL') : line)
  const errors = []
  let count = 0
  const see = (value, label = '') => {
    scene.seen?.(++count)
    lines.push(`#${lines.length} ${label}`, ...snapshot(value).map(anonymous))
  }
  let wake = () => {}
  const hasFailed = new Promise((resolve) => {
    wake = resolve
  })
  /** The provider has sent everything that it will send, or nothing was sent at all. */
  const answered = () => Promise.race([emulator.until(() => emulator.requests[0]?.ended).catch(() => {}), hasFailed])
  const failed = (error, label) => {
    errors.push(error)
    see(error, label)
    wake()
  }
  const fails = (fn) =>
    Promise.resolve()
      .then(fn)
      .then(
        (value) => see(value, 'did not fail'),
        (error) => failed(error, 'failed'),
      )
  const unhandled = (error) => failed(error, 'unhandled')
  process.on('unhandledRejection', unhandled)
  let timer
  try {
    scene.begins?.(emulator)
    const newClient = (options) => dress(makeClient(sdk, emulator, options))
    const cast = {
      sdk,
      load,
      emulator,
      see,
      fails,
      answered,
      newClient,
      client: newClient(),
      reply: emulator.reply,
    }
    const stuck = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`stuck for ${STUCK_MS} ms`)), STUCK_MS)
    })
    await Promise.race([
      as(async () => {
        await run(cast).catch((error) => {
          thrown = error
          failed(error, 'thrown')
        })
      }, emulator),
      stuck,
    ])
    await quiet()
    if (!expected.finish)
      await Promise.race([
        emulator.until(() => emulator.requests.every(({ ended, status }) => ended || !status)),
        stuck,
      ])
    const events = (await scene.ends?.(emulator)) ?? []
    return { name, thrown, lines, errors, wire: wireOf(emulator), events, bill: emulator.bill() }
  } finally {
    clearTimeout(timer)
    process.off('unhandledRejection', unhandled)
    await scene.leave?.()
    await emulator.close()
  }
}

/** What the provider received, and when it stopped. */
function wireOf({ requests }) {
  return requests.map((request) => ({ ...request }))
}
