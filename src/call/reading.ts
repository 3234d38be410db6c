// What an answer says, read by its route: a fault of that says whose route it is, and leaves the call to be estimated.

import type { ProblemReporter } from '../problems.ts'
import { isObject } from '../providers/counts.ts'
import type { JobResult, Json, Reading, StreamReader } from '../providers/provider.ts'
import type { CallRequest } from './request.ts'

/** Some of the route is a function of the application's own, where the provider is. */
export function doing(what: string, { provider, route }: CallRequest): string {
  return `${what} of ${provider} (${route.endpoint})`
}

export function readerOf(asked: CallRequest, isHiding: boolean, problems: ProblemReporter): StreamReader | undefined {
  return problems.guard('usage', doing('reading a stream', asked), () => asked.route.readStream?.(isHiding, asked))
}

export function readAnswer(asked: CallRequest, answer: Json, problems: ProblemReporter): Reading {
  return problems.guard('usage', doing('reading an answer', asked), () => asked.route.read(answer, asked)) ?? {}
}

export function readLine(asked: CallRequest, line: unknown, problems: ProblemReporter): JobResult | undefined {
  if (!isObject(line)) return undefined
  return problems.guard('usage', doing('reading a line of results', asked), () => asked.route.readLine?.(line, asked))
}

export function addUp(asked: CallRequest, reader: StreamReader, problems: ProblemReporter): Reading {
  return problems.guard('usage', doing('adding up a stream', asked), () => reader.reading()) ?? {}
}

/** Of an answer that is not looked at. */
export function readRequest(asked: CallRequest, problems: ProblemReporter): Reading {
  return problems.guard('usage', doing('reading a request', asked), () => asked.route.readUnseen?.(asked)) ?? {}
}
