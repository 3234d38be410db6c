// Compares a metered run with an unpatched one, and its events with the provider's bill. Gives sentences; none means that all is well.

import { firstDifference, snapshot } from './snapshot.mjs'

/** @returns {string | undefined} the first thing that is not as it should be */
export function judge(expected, plain, metered, { heldUsd, openCalls } = {}) {
  return (
    (plain.thrown ? `the unpatched run threw ${plain.thrown.stack}` : undefined) ??
    difference(expected, plain, metered) ??
    audit(expected, metered) ??
    (heldUsd === undefined || heldUsd === '0' ? undefined : `$${heldUsd} is still held`) ??
    (openCalls ? `${openCalls} calls are still open` : undefined)
  )
}

/** What the caller or the provider could tell apart. */
export function difference(expected, plain, metered) {
  const seen = firstDifference(plain.lines, metered.lines)
  if (seen) return `the caller sees a difference: ${seen}`
  const wire = firstDifference(...wires(expected, plain, metered))
  return wire && `the provider sees a difference: ${wire}`
}

function wires(expected, plain, metered) {
  // A host that refuses what we add is asked a second time, once: everything else it receives is the same.
  const [first, ...rest] = metered.wire
  const asked = expected.refuses && metered.wire.length > plain.wire.length && addsUsage(first) ? rest : metered.wire
  return [plain.wire.flatMap(onWire), asked.flatMap(onWire)]
}

const addsUsage = ({ body }) => body?.stream_options?.include_usage === true

/** A request, without what we are allowed to add to it: `include_usage`, and what follows from a longer body. */
function onWire({ method, path, query, headers, body, status, aborted }) {
  const { 'content-length': _, host: __, ...kept } = headers
  return snapshot({ method, path, query, headers: kept, body: withoutUsage(body), status, aborted })
}

function withoutUsage(body) {
  if (typeof body !== 'object' || body === null || !('stream_options' in body)) return body
  const { include_usage: _, ...options } = body.stream_options
  const { stream_options: __, ...rest } = body
  return Object.keys(options).length > 0 ? { ...rest, stream_options: options } : rest
}

const FREE = /\/(models|moderations|responses\/input_tokens)$|\/messages\/count_tokens$|:countTokens$/
const ENDPOINTS = [
  [/\/chat\/completions$/, 'chat.completions'],
  [/\/completions$/, 'completions'],
  [/\/responses$/, 'responses'],
  [/\/embeddings$/, 'embeddings'],
  [/\/messages$/, 'messages'],
  [/:(generateContent|streamGenerateContent)$/, 'generateContent'],
  [/:(embedContent|batchEmbedContents)$/, 'embedContent'],
]

/** One event a call, each with the numbers of the bill. */
export function audit(expected, { events, wire, bill }) {
  const { events: count = 1, source = 'reported', error, attempts = [200], unsent } = expected
  if (events.length !== count) return `${events.length} events in place of ${count}`
  const requests = wire.filter(({ path }) => !FREE.test(path))
  const lines = [...bill.lines]
  const expectedLines = expected.lines ?? (source === 'absent' ? 0 : count)
  if (lines.length !== expectedLines) return `${lines.length} lines on the bill in place of ${expectedLines}`
  const ordered = expected.anyOrder ? inOrder(events) : events
  let at = 0
  for (const [index, event] of ordered.entries()) {
    const own = unsent ? [] : requests.slice(at, at + event.attempts.length)
    at += own.length
    const isFirst = index === 0
    const wrong =
      (unsent ? undefined : attemptsWrong(event, own, isFirst ? attempts : undefined)) ??
      errorWrong(event, error) ??
      sourceWrong(event, source) ??
      lineWrong(event, lines, own.at(-1), source)
    if (wrong) return `event ${index + 1} of ${count}: ${wrong}`
  }
  if (!unsent && at !== requests.length) return `${requests.length} requests, ${at} attempts on the events`
  return undefined
}

function inOrder(events) {
  return [...events].sort((a, b) => String(a.requestId).localeCompare(String(b.requestId)))
}

function attemptsWrong({ attempts }, requests, expected) {
  const statuses = attempts.map(({ status }) => status)
  if (expected && JSON.stringify(statuses) !== JSON.stringify(expected))
    return `attempts ${JSON.stringify(statuses)} in place of ${JSON.stringify(expected)}`
  for (const [index, attempt] of attempts.entries()) {
    const request = requests[index]
    if (!request) return `attempt ${index + 1} was never sent`
    if (attempt.status !== request.status)
      return `attempt ${index + 1} has status ${attempt.status}, sent was ${request.status}`
    const isNamed = attempt.status !== undefined && request.headers['x-goog-api-key'] === undefined
    if (isNamed && attempt.requestId !== request.requestId)
      return `attempt ${index + 1} has request id ${attempt.requestId}, sent was ${request.requestId}`
    const billable = attempt.status === 200 ? ['yes', 'unknown'] : attempt.status < 500 ? ['no'] : ['unknown']
    if (!billable.includes(attempt.billable))
      return `attempt ${index + 1} (${attempt.status}) is billable: ${attempt.billable}`
  }
  return undefined
}

function errorWrong({ error }, expected) {
  if (expected === 'any' || error === expected) return undefined
  return `error ${error} in place of ${expected}`
}

function sourceWrong({ usageSource, costSource, usageBounds }, expected) {
  if (expected !== 'any' && usageSource !== expected) return `usage is ${usageSource} in place of ${expected}`
  if (usageSource === 'reported' && costSource !== 'priced') return `cost is ${costSource} in place of priced`
  const isGuess = usageSource === 'partial' || usageSource === 'estimated'
  if (isGuess && !usageBounds) return 'an estimate without bounds'
  if (isGuess && costSource !== 'estimated') return `cost of an estimate is ${costSource}`
  return undefined
}

function lineWrong(event, lines, request) {
  if (request) {
    const [, endpoint] = ENDPOINTS.find(([path]) => path.test(request.path)) ?? []
    if (event.endpoint !== endpoint) return `endpoint ${event.endpoint} in place of ${endpoint}`
    const isStream = request.body?.stream === true || /:streamGenerateContent$/.test(request.path)
    if (event.stream !== isStream) return `stream: ${event.stream}, of a request that says ${isStream}`
  }
  const at = lines.findIndex(({ requestId }) => requestId === request?.requestId)
  const [line] = at < 0 ? [] : lines.splice(at, 1)
  if (!line) return undefined
  if (event.usageSource === 'absent') return undefined
  if (event.model !== line.model) return `model ${event.model} in place of ${line.model}`
  if (event.usageSource === 'reported') {
    if (!line.isWhole) return 'usage is called reported where the answer broke off'
    if (event.inputTokens !== line.inputTokens)
      return `${event.inputTokens} input tokens, billed were ${line.inputTokens}`
    if (event.outputTokens !== line.outputTokens)
      return `${event.outputTokens} output tokens, billed were ${line.outputTokens}`
    if (event.costUsd !== line.usd) return `cost $${event.costUsd}, billed was $${line.usd}`
    return undefined
  }
  for (const kind of ['inputTokens', 'outputTokens']) {
    const [low, high] = event.usageBounds[kind]
    if (line[kind] < low || line[kind] > high)
      return `${kind} estimated in ${low} to ${high}, billed were ${line[kind]}`
    if (event[kind] < low || event[kind] > high) return `${kind} ${event[kind]} outside of its bounds ${low} to ${high}`
  }
  return undefined
}

/** Every way to call is refused before anything is sent, by an error that is the SDK's and ours. */
export function refused({ wire, errors, events }, { APIError, LimitExceededError }) {
  if (wire.length > 0) return `${wire.length} requests were sent`
  if (events.length > 0) return `${events.length} events were recorded`
  if (errors.length === 0) return 'nothing was refused'
  for (const error of errors) {
    if (!(error instanceof LimitExceededError))
      return `refused by ${error?.constructor?.name}: ${String(error?.message)}`
    // @google/genai exports none before 1.9.
    if (APIError && !(error instanceof APIError)) return 'the refusal is no APIError of this SDK copy'
    if (error.status !== 402) return `the refusal has status ${error.status}`
    if (error.name !== 'LimitExceededError') return `the refusal is named ${error.name}`
    if (error.code !== 'LIMIT_EXCEEDED' || error.tenantId !== 'acme')
      return 'the refusal does not say what limit was reached'
  }
  return undefined
}
