// An application with a meter: the package as it is installed, the real SDKs, and the emulator in place of the providers.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { type LLMEvent, Meter, type MeterOptions, type Problem } from 'tallygate'
import { type Emulator, startEmulator } from 'tallygate/emulator'
import { type MemorySink, memorySink } from 'tallygate/sinks'

export interface Metered extends AsyncDisposable {
  readonly meter: Meter
  readonly emulator: Emulator
  /** Where events go where no other sink is given. */
  readonly sink: MemorySink
  readonly problems: Problem[]
  readonly openai: OpenAI
  readonly anthropic: Anthropic
  readonly google: GoogleGenAI
  /** What was recorded so far, in the order in which it was. */
  events(): Promise<readonly LLMEvent[]>
  /** A chat call with the emulator's next answer. */
  chat(model?: string): Promise<OpenAI.ChatCompletion>
}

export async function metered(options: MeterOptions = {}): Promise<Metered> {
  const emulator = await startEmulator()
  const sink = memorySink()
  const problems: Problem[] = []
  const meter = new Meter({
    ...(options.url === undefined && options.dir === undefined && { sinks: [sink] }),
    onProblem: (problem) => problems.push(problem),
    // What a sink that fails leaves in its spool is not the next test's.
    ...(process.env['TALLYGATE_DIR'] === undefined && { dir: mkdtempSync(join(tmpdir(), 'tallygate-metered-')) }),
    ...options,
    hosts: { ...emulator.hosts, ...options.hosts },
  })
  meter.patchAll()
  const openai = new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key' })
  return {
    meter,
    emulator,
    sink,
    problems,
    openai,
    anthropic: new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key' }),
    google: new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: emulator.google.baseURL } }),
    async events() {
      await meter.flush()
      return sink.events
    },
    chat: (model = 'gpt-4o') =>
      openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1000 }),
    async [Symbol.asyncDispose]() {
      await meter.close()
      await emulator.close()
    },
  }
}
