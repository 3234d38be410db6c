// The ways of loading that most applications have, each as a process of its own; `npm run test:loading` plays them all.

import { startEmulator } from 'tallygate/emulator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { appFolder, type How, play, SETUPS, type Setup, write } from '../../scripts/loading-apps.mjs'

const ALL = { openai: true, anthropic: true, google: true }
const NONE = { openai: false, anthropic: false, google: false }

async function played(title: string, how: How) {
  const setup = SETUPS.find((one: Setup) => one.title === title)!
  const emulator = await startEmulator()
  const { folder, [Symbol.dispose]: remove } = appFolder()
  onTestFinished(async () => {
    await emulator.close()
    remove()
  })
  return play(await write(folder, setup, how), how, { folder, emulator })
}

describe('what is metered', () => {
  test.each<[title: string, how: How]>([
    ['ESM app, tallygate by `require`', 'patchAll'],
    ['CommonJS app, tallygate by `import()`', 'patchAll'],
    ['ESM app', 'register'],
    ['CommonJS app', 'register'],
    ['esbuild, SDKs external, tallygate bundled, CommonJS', 'patchAll'],
    ['esbuild, SDKs bundled and minified, tallygate external', 'modules'],
    ['esbuild, everything in one ESM file', 'patchAll'],
  ])('%s, by %s: every call', async (title, how) => {
    expect(await played(title, how)).toEqual({ metered: ALL, isSaid: true })
  })

  test('a bundled copy goes past the patches of the SDKs, and the process says so', async () => {
    const title = 'esbuild, SDKs bundled, tallygate external, ESM'
    expect(await played(title, 'sdks')).toEqual({ metered: NONE, isSaid: true })
  })

  test('the SDK that LangChain brings along is one more copy', async () => {
    const title = 'ESM app, an SDK nested in another package'
    expect(await played(title, 'sdks')).toEqual({ metered: { openai: true }, isSaid: true })
  })
})
