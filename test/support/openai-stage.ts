// A stage for work that outlives its call: an emulator, a client of one SDK copy, and one meter after another on the same
// folder, as processes have it.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type OpenAI from 'openai'
import { onTestFinished } from 'vitest'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { type LLMEvent, Meter, type MeterOptions, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { OpenAICopy } from './openai-copies.ts'

export interface Process {
  readonly meter: Meter
  readonly problems: Problem[]
  events(): Promise<readonly LLMEvent[]>
}

export interface Stage {
  readonly emulator: Emulator
  readonly client: OpenAI
  /** A meter of its own on the same folder, as another process has it; the one before is closed. */
  process(options?: MeterOptions): Promise<Process>
}

export async function staged(copy: OpenAICopy): Promise<Stage> {
  const emulator = await startEmulator()
  onTestFinished(() => emulator.close())
  const client = new copy.Client({ baseURL: emulator.openai.baseURL, apiKey: 'key', maxRetries: 0 })
  const dir = mkdtempSync(join(tmpdir(), 'openai-jobs-'))
  let last: Meter | undefined
  return {
    emulator,
    client,
    async process(options = {}) {
      await last?.close()
      const sink = memorySink()
      const problems: Problem[] = []
      const meter = new Meter({
        sinks: [sink],
        dir,
        hosts: emulator.hosts,
        onProblem: (problem) => problems.push(problem),
        ...options,
      })
      last = meter
      onTestFinished(() => meter.close())
      meter.patch('openai', { modules: [copy.Client] })
      const events = async () => {
        await meter.flush()
        return sink.events
      }
      return { meter, problems, events }
    },
  }
}
