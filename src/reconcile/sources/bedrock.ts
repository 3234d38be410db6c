// Amazon Bedrock's model invocation logs, from S3 or CloudWatch: a record for each request, with its tokens and without a price.

import { bedrockModel } from '../../import/bedrock.ts'
import type { Bucket } from '../../usage.ts'
import { countIn, type Fields, momentIn, objectIn, optionalText, stop, stopAt, textIn } from '../fields.ts'
import { type FileFormat, type FileOptions, fileStatement } from '../file-statement.ts'
import { HOUR, type Statement } from '../statement.ts'

/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html, schemaVersion 1.0, read on 2026-11-22. */
export const BEDROCK: FileFormat = {
  source: 'bedrock',
  name: 'Bedrock invocation log',
  isJsonLines: true,
  isUsageOnly: true,
  isOfRequests: true,
  needs: [['schemaType', 'message']],
  lagMs: HOUR,
  cannotTell: [
    'Invocation logs have tokens and no prices: only the volume is compared. What it cost is in a cost and usage report.',
    'A call without counts of tokens, which makes a picture or a video, has none to compare.',
    'Tiers and the two lives of a cache write are not told apart, and thinking is inside of the output.',
  ],
  folds: {
    'output.reasoning': 'output.text',
    'input.text.tool_use': 'input.text',
    'input.text.cache_write_5m': 'input.text.cache_write',
    'input.text.cache_write_1h': 'input.text.cache_write',
  },
  read(given, where, provider) {
    const record = recordIn(given, where)
    if (record['schemaType'] !== 'ModelInvocationLog')
      return stop(where, 'schemaType', '"ModelInvocationLog"', record['schemaType'])
    if (!/^1(\.|$)/.test(textIn(record, 'schemaVersion', where)))
      return stop(where, 'schemaVersion', 'one of 1', record['schemaVersion'])
    const since = momentIn(record, 'timestamp', where)
    const row = {
      kind: 'usage',
      since,
      until: since + 1,
      provider,
      model: bedrockModel(textIn(record, 'modelId', where)),
      profile: optionalText(objectIn(record['identity'] ?? {}, where, 'identity'), 'arn', where),
      project: optionalText(record, 'accountId', where),
      currency: 'USD',
      item: optionalText(record, 'operation', where),
      responseId: textIn(record, 'requestId', where),
    } as const
    return countsIn(record, where).map(([type, quantity], i) => ({
      ...row,
      type,
      quantity,
      ...(i === 0 && { requests: 1 }),
    }))
  },
}

/** CloudWatch's answers have the record as the text of an event. */
function recordIn(given: Fields, where: string): Fields {
  const { message } = given
  if (message === undefined) return given
  if (typeof message !== 'string') return objectIn(message, where, 'message')
  try {
    return objectIn(JSON.parse(message), where, 'message')
  } catch {
    return stopAt(where, '`message`', 'the JSON of a record', 'a text that is none')
  }
}

/** Without any for a request that was refused. */
function countsIn(record: Fields, where: string): readonly (readonly [Bucket, number])[] {
  const input = objectIn(record['input'] ?? {}, where, 'input')
  const output = objectIn(record['output'] ?? {}, where, 'output')
  const cached = (name: string, ...inAnswer: readonly string[]) =>
    countIn(input, name, where) ?? inUsage(output['outputBodyJson'], inAnswer, where)
  const counts = [
    ['input.text', countIn(input, 'inputTokenCount', where)],
    ['output.text', countIn(output, 'outputTokenCount', where)],
    ['input.text.cache_read', cached('cacheReadInputTokenCount', 'cacheReadInputTokens', 'cache_read_input_tokens')],
    [
      'input.text.cache_write',
      cached('cacheWriteInputTokenCount', 'cacheWriteInputTokens', 'cache_creation_input_tokens'),
    ],
  ] as const
  const told = counts.flatMap(([type, quantity]) => (quantity === undefined ? [] : [[type, quantity] as const]))
  return told.filter(([, quantity], i) => i === 0 || quantity > 0)
}

/** Older records say in the answer alone what a cache was used for: in its usage, or in that of the first event of a stream. */
function inUsage(body: unknown, names: readonly string[], where: string): number | undefined {
  for (const answer of Array.isArray(body) ? (body as readonly unknown[]) : [body]) {
    const { usage, message, metadata } = fieldsOf(answer)
    for (const counts of [usage, fieldsOf(message)['usage'], fieldsOf(metadata)['usage']].map(fieldsOf))
      for (const name of names) if (counts[name] !== undefined) return countIn(counts, name, where)
  }
  return undefined
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/**
 * Bedrock's own log of its invocations: usage, without a price.
 *
 * @example
 * const statement = bedrockStatement({ path: ['november-1.json.gz', 'november-2.json.gz'], provider: 'aws' })
 */
export function bedrockStatement(options: FileOptions): Statement {
  return fileStatement(BEDROCK, options)
}
