// Logs of model invocations that Amazon Bedrock writes to S3 and CloudWatch.
// docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html, schemaVersion 1.0, read 2026-11-22. Bodies
// above 25 KB (100 KB in some regions) lie in files of their own, and only the counts are in the record.

import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import { labelsIn, numberOf, objectOf, textOf, timeOf, wordOf } from './fields.ts'
import type { Labels, LogFormat, RowReading } from './format.ts'

/** The operations, by the route that reads what they give. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  Converse: 'converse',
  ConverseStream: 'converse',
  InvokeModel: 'invoke',
  InvokeModelWithResponseStream: 'invoke',
}

function read(given: Json): RowReading {
  // CloudWatch's export has the record as text.
  const row = objectOf(given['message']) ?? given
  if (row['schemaType'] !== 'ModelInvocationLog')
    return { fault: "Expected `schemaType` to be `ModelInvocationLog`, as Bedrock's records of invocations have it." }
  if (!/^1(?:\.|$)/.test(wordOf(row['schemaVersion'] ?? '1.0')))
    return { fault: 'Expected `schemaVersion` to be 1.0: this record is of a newer version of the log.' }
  const { operation, region, requestId, errorCode } = row
  const [input, output] = [objectOf(row['input']) ?? {}, objectOf(row['output']) ?? {}]
  const { response, endpoint } = answerOf(input, output, String(operation))
  const error = textOf(errorCode)
  const duration = numberOf(objectOf(objectOf(output['outputBodyJson'])?.['metrics'])?.['latencyMs'])
  return {
    call: {
      id: textOf(requestId),
      at: timeOf(row['timestamp']),
      provider: 'aws',
      host: textOf(region) && `bedrock-runtime.${String(region)}.amazonaws.com`,
      endpoint,
      model: bedrockModel(row['modelId']),
      request: objectOf(input['inputBodyJson']),
      response,
      text: objectOf(output['outputBodyJson']),
      labels: labelsOf(objectOf(row['requestMetadata'])),
      durationMs: duration !== undefined && duration >= 0 ? duration : undefined,
      requestId: textOf(requestId),
      error: error === undefined ? undefined : /^[a-z0-9_.-]{1,64}$/i.test(error) ? error : 'failed',
    },
  }
}

/** What the body says, which tells the lives of cache writes apart; and for bodies of other makers, the counts of the record. */
function answerOf(input: Json, output: Json, operation: string): { response: unknown; endpoint: string } {
  const body = output['outputBodyJson']
  const whole = Array.isArray(body) ? body.filter(isObject) : objectOf(body)
  if (Array.isArray(whole) && whole.some((event) => event['type'] === 'message_start'))
    return { response: whole, endpoint: 'invoke' }
  const usage = Array.isArray(whole) ? undefined : objectOf(whole?.['usage'])
  if (usage && 'inputTokens' in usage) return { response: whole, endpoint: 'converse' }
  if (usage && 'input_tokens' in usage) return { response: whole, endpoint: 'invoke' }
  const counts = {
    inputTokens: input['inputTokenCount'],
    outputTokens: output['outputTokenCount'] ?? (input['inputTokenCount'] === undefined ? undefined : 0),
    cacheReadInputTokens: input['cacheReadInputTokenCount'],
    cacheWriteInputTokens: input['cacheWriteInputTokenCount'],
  }
  const isCounted = Object.values(counts).some((count) => count !== undefined && count !== null)
  return {
    response: { ...(isCounted && { usage: counts }), stopReason: undefined },
    endpoint: isCounted ? 'converse' : (ENDPOINTS[operation] ?? 'converse'),
  }
}

/** `global.anthropic.claude-opus-5-v1` of the name or of the ARN of a profile. */
export function bedrockModel(id: unknown): string | undefined {
  const text = textOf(id)
  if (!text?.startsWith('arn:')) return text
  const resource = text.split(':').slice(5).join(':')
  return resource.startsWith('application-inference-profile/') ? resource : resource.slice(resource.indexOf('/') + 1)
}

/** Ours by their names, and the others as tags. */
function labelsOf(given: Json | undefined): Labels {
  const labels = labelsIn(given)
  const known = new Set<unknown>(Object.values(labels))
  const tags = Object.entries(given ?? {}).filter(
    ([name, value]) => name.length <= 128 && typeof value === 'string' && value.length <= 256 && !known.has(value),
  )
  return tags.length === 0
    ? labels
    : { ...labels, tags: Object.fromEntries(tags.slice(0, 32)) as Record<string, string> }
}

export const bedrock: LogFormat = {
  name: 'bedrock',
  rows: "Bedrock's model invocation logs, from S3 (gzipped) or CloudWatch",
  read,
}
