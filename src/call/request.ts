// The request of a call: what it says of itself, what is asked of it while its answer is read, and how it is sent.

import type { ExchangeRequest } from '../patch/exchange.ts'
import { frameOf } from '../providers/chat-frame.ts'
import type { Found } from '../providers/index.ts'
import { withCap } from '../providers/output-control.ts'
import type { Asked, Json, RequestFacts, Route } from '../providers/provider.ts'
import { requestFields } from './body.ts'
import type { Experience } from './experience.ts'
import type { Evidence } from './missing-usage.ts'

/** A class: one is made for each call. */
export class CallRequest implements Asked {
  facts: RequestFacts
  readonly sent: ExchangeRequest
  readonly provider: string
  readonly route: Route
  #body: unknown

  constructor(request: ExchangeRequest, { provider, route }: Found) {
    this.sent = request
    this.provider = provider
    this.route = route
    this.#body = request.body
    this.facts = this.#factsOf(request.body)
  }

  get host(): string {
    return this.sent.host
  }

  get endpoint(): string {
    return this.route.endpoint
  }

  /** What goes in or comes out is no text. */
  get isTextless(): boolean {
    return this.route.isTextless === true
  }

  get path(): string {
    return this.sent.path
  }

  /** Whether a request to this address may be the one that is meant. */
  isFor(url: string): boolean {
    const { pathname } = new URL(url)
    return pathname.endsWith(this.path) || this.route.path.test(pathname)
  }

  body(): Json {
    return requestFields(this.#body, undefined)
  }

  prompt(body: Json = this.body()): Iterable<string> {
    return this.route.prompt(body)
  }

  /** The cap of its output may be lowered: its encoding is ours to change, and the provider takes another. */
  canCap(body: Json): boolean {
    const { output } = this.route
    if (!output || this.#isBeyondReach) return false
    return !output.isCapFixed?.(body) && !this.sent.isFixed
  }

  /** It is a stream that shows all its output, and that may be ended. */
  canEnd(body: Json): boolean {
    const { output } = this.route
    if (!output?.isSeen || !this.facts.stream || this.sent.isWhole || this.#isBeyondReach) return false
    return output.isSeen(body, this.facts, this.provider)
  }

  /** What only its encoding describes is admitted when it is encoded already; a socket has no body of its own. */
  get #isBeyondReach(): boolean {
    return this.sent.body === undefined || this.sent.method === 'socket'
  }

  /** With what the provider would not send of itself, or `undefined` where nothing is to be added. */
  prepared(text: string, refusers: ReadonlySet<string>): string | undefined {
    if (this.#body === undefined) {
      this.#body = text
      this.facts = this.#factsOf(text)
    }
    const { stream, host } = this.sent
    return stream && !refusers.has(host) ? this.route.prepare?.(text, this.sent) : undefined
  }

  /** With an output of at most so many tokens. Throws for a text that is no JSON object. */
  capped(text: string, outputTokens: number): string {
    const capped = this.route.output && withCap(text, this.route.output, outputTokens, this.provider)
    if (capped === undefined) throw new Error('The request is no JSON object.')
    return capped
  }

  /** What the usage is estimated by, where it is missing. */
  evidence(experience: Experience, generated: () => Iterable<string>, isUnseen: boolean): Evidence {
    const usualOutput = experience.outputOf(this.route.endpoint, this.facts.model)
    const body = this.body()
    const frame = frameOf(this.provider, this.route.endpoint, body)
    return { prompt: this.prompt(body), frame, generated: generated(), isUnseen, usualOutput }
  }

  #factsOf(body: unknown): RequestFacts {
    const { path, stream } = this.sent
    return this.route.request(requestFields(body, this.route.requestFields), path, stream)
  }
}
