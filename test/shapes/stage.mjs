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
 * @property {number} [since] the SDK's first major that has it
 * @property {number} [until] the SDK's last major that has it
 * @property {boolean} [slow] it waits for a timer of the SDK
 *
 * @typedef {[name: string, expectation: Expectation, run: (cast: object) => Promise<void>] | [name: string, run: (cast: object) => Promise<void>]} Shape
 */

/** @param {Shape} shape */
export function parts(shape) {
  const [name, second, third] = shape
  return typeof second === 'function' ? { name, expected: {}, run: second } : { name, expected: second, run: third }
}

const STUCK_MS = 8000

/**
 * @param {ReturnType<typeof parts>} shape
 * @param {object} scene the SDK, how to make its client, and what to do with a client before it is used
 */
export async function play({ name, expected, run }, scene) {
  const { startEmulator, sdk, load, makeClient, dress = (client) => client, as = (fn) => fn() } = scene
  const emulator = await startEmulator({
    now: () => new Date('2026-11-20T12:00:00Z'),
    ...(expected.refuses && { rejectStreamOptions: expected.refuses }),
  })
  const lines = []
  const errors = []
  const see = (value, label = '') => {
    lines.push(`#${lines.length} ${label}`, ...snapshot(value))
  }
  const failed = (error, label) => {
    errors.push(error)
    see(error, label)
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
      newClient,
      client: scene.clientOf?.(emulator) ?? newClient(),
      reply: emulator.reply,
    }
    const stuck = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`stuck for ${STUCK_MS} ms`)), STUCK_MS)
    })
    await Promise.race([
      as(async () => {
        await run(cast).catch((error) => failed(error, 'thrown'))
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
    return { name, lines, errors, wire: wireOf(emulator), events, bill: emulator.bill() }
  } finally {
    clearTimeout(timer)
    process.off('unhandledRejection', unhandled)
    await emulator.close()
  }
}

/** What the provider received, as it received it. */
function wireOf({ requests }) {
  return requests.map(({ method, path, query, headers, body, status, aborted, requestId }) => ({
    method,
    path,
    query,
    headers,
    body,
    status,
    aborted,
    requestId,
  }))
}
