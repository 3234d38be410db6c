// The hashes that a ledger kept of outputs, by the ids of their answers.

import { readSalt } from '../call/content-hash.ts'
import { MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import type { KeptHashes } from './labels.ts'

/** `dir` has the salt: of the process that metered, and of nobody else. */
export async function keptHashes(dir: string, events: AsyncIterable<LLMEvent>): Promise<KeptHashes> {
  let salt: string
  try {
    salt = readSalt(dir)
  } catch (cause) {
    const sentence = `There is no \`content-salt\` in ${dir}: a meter with \`contentHash: true\` makes one.`
    throw new MeterError('BAD_INPUT', sentence, { cause })
  }
  const outputs = new Map<string, string>()
  for await (const { responseId, outputHash } of events)
    if (responseId !== undefined && outputHash !== undefined) outputs.set(responseId, outputHash)
  return { salt, outputs }
}
