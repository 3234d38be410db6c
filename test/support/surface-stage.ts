// A call of an SDK without a meter and with one; and meters that follow each other on one folder, as processes do.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type Emulator, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { type LLMEvent, Meter, type MeterOptions, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/memory.ts'

export interface Sdk<Client> {
  readonly provider: 'anthropic' | 'google'
  /** The class that is patched. */
  readonly module: unknown
  client(emulator: Emulator): Client
}

export interface Process {
  readonly meter: Meter
  readonly problems: readonly Problem[]
  events(): Promise<readonly LLMEvent[]>
}

export interface Stage<Client> {
  readonly emulator: Emulator
  readonly client: Client
  /** A meter of its own on the same folder, as another process has it; the one before is closed. */
  process(options?: MeterOptions): Promise<Process>
}

export async function staged<Client>(sdk: Sdk<Client>): Promise<Stage<Client>> {
  const emulator = await startEmulator()
  onTestFinished(() => emulator.close())
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-surfaces-'))
  let last: Meter | undefined
  return {
    emulator,
    client: sdk.client(emulator),
    async process(options = {}) {
      await last?.close()
      const sink = memorySink()
      const problems: Problem[] = []
      const onProblem = (problem: Problem) => void problems.push(problem)
      const meter = new Meter({ sinks: [sink], dir, hosts: emulator.hosts, onProblem, ...options })
      last = meter
      onTestFinished(() => meter.close())
      meter.patch(sdk.provider, { modules: [sdk.module] })
      const events = async () => {
        await meter.flush()
        return sink.events
      }
      return { meter, problems, events }
    },
  }
}

export interface Run {
  readonly emulator: Emulator
  readonly events: readonly LLMEvent[]
  readonly problems: readonly Problem[]
}

/** What `call` gives is the same with a meter as without one; then what was recorded of it, for the tenant `acme`. */
export async function compared<Client>(
  sdk: Sdk<Client>,
  script: readonly Reply[],
  call: (client: Client) => Promise<unknown>,
): Promise<Run> {
  const { client, emulator, process } = await staged(sdk)
  emulator.reply(...script)
  const plain = same(await call(client))
  emulator.reset()
  const { meter, problems, events } = await process()
  emulator.reply(...script)
  const metered = same(await meter.forTenant('acme', () => call(client)))
  expect(metered).toEqual(plain)
  return { emulator, events: await events(), problems }
}

/** Ids and times differ from call to call, and so do ports. */
function same(value: unknown): unknown {
  const text = JSON.stringify(value ?? null) ?? 'null'
  return JSON.parse(
    text
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
      .replace(/\d{8,}/g, '0')
      .replace(/"date":"[^"]*"/g, '"date":""'),
  )
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
