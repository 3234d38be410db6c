// What the messages on a connection mean, as far as something is billed: one table for each protocol.

export type Message = Readonly<Record<string, unknown>>

/** A message of the application. */
export type Sent =
  /** It asks for a response, whose messages will come on `lane`. */
  | { readonly kind: 'ask'; readonly lane: string }
  /** It may lead to a response that nobody asks for: sound that is listened to. */
  | { readonly kind: 'feed' }

/** A message of the provider. */
export interface Received {
  /**
   * `begun`, `part`, `over`: of a response. `alone`: billed by itself, and told in one message. `error`: something
   * failed, of one request by the `id` that the application gave it, or of a lane.
   */
  readonly kind: 'begun' | 'part' | 'over' | 'alone' | 'error'
  /** Tells apart the responses that are under way. */
  readonly key: string
  /** On which the response was asked for; `undefined` where an error does not say. */
  readonly lane?: string | undefined
  /** The response is told of by nothing before this part. */
  readonly begins?: boolean
  /** What it is a response of, where the connection has several kinds: `transcription`. */
  readonly of?: string
  /** The message that tells of it, where it stands in another. */
  readonly message?: Message
  readonly id?: unknown
}

/** One conversation: keeps what later messages do not repeat, such as the model. */
export interface Talk {
  /** Fields that say which model answers, for the request of every response on the connection. */
  readonly setting: Message
  /** The connection only watches what others have begun, and what goes on without it. */
  readonly isWatching?: boolean
  sent(message: Message): Sent | undefined
  received(message: Message): Received | undefined
}

/** The talk of an address, or `undefined` for one that is not known. */
export function openAITalk(url: URL): Talk | undefined {
  const { pathname } = url
  if (/(?:^|\/)realtime\/?$/.test(pathname)) return realtimeTalk(url)
  if (/(?:^|\/)responses\/?$/.test(pathname)) return responsesTalk()
  if (/(?:^|\/)live\/sessions(?:\/[^/]+\/(?:attach|fork))?\/?$/.test(pathname)) return liveTalk(pathname)
  return undefined
}

function object(value: unknown): Message | undefined {
  return typeof value === 'object' && value !== null ? (value as Message) : undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Items of the conversation that are kept for estimates of what comes after them. */
const ITEMS_KEPT = 50

/** Realtime (openai 4.77 to 7.57, realtime.d.ts): a response has an id, which its parts repeat as `response_id`. */
function realtimeTalk({ searchParams }: URL): Talk {
  const setting: Record<string, unknown> = {
    // Azure's first versions name the deployment.
    model: searchParams.get('model') ?? searchParams.get('deployment') ?? undefined,
    isShared: searchParams.has('call_id'),
    session: undefined,
    items: [],
  }
  return {
    setting,
    sent(message) {
      const { type } = message
      if (type === 'response.create') return { kind: 'ask', lane: '' }
      if (type === 'input_audio_buffer.append' || type === 'input_audio_buffer.commit') return { kind: 'feed' }
      if (type === 'conversation.item.create')
        setting['items'] = [...(setting['items'] as unknown[]).slice(1 - ITEMS_KEPT), message['item']]
      return undefined
    },
    received(message) {
      const { type, response_id: id } = message
      if (typeof id === 'string') return { kind: 'part', key: id }
      switch (type) {
        case 'response.created':
          return { kind: 'begun', lane: '', key: text(object(message['response'])?.['id']) }
        case 'response.done':
          return { kind: 'over', lane: '', key: text(object(message['response'])?.['id']) }
        case 'conversation.item.input_audio_transcription.completed':
          return { kind: 'alone', key: 'alone', of: 'transcription' }
        case 'session.created':
        case 'session.updated':
        case 'transcription_session.created':
        case 'transcription_session.updated':
          setting['session'] = message['session']
          return undefined
        case 'error':
          return { kind: 'error', key: '', id: object(message['error'])?.['event_id'] }
        default:
          return undefined
      }
    },
  }
}

const OVER = new Set<unknown>(['response.completed', 'response.incomplete', 'response.failed'])

/** Responses (openai 6.22 to 7.57, responses.d.ts): one at a time on a lane, which `stream_id` names. */
function responsesTalk(): Talk {
  return {
    setting: {},
    sent: ({ type, stream_id: lane }) => (type === 'response.create' ? { kind: 'ask', lane: text(lane) } : undefined),
    received: (message) => receivedOf(message, text(message['stream_id'])),
  }
}

function receivedOf(message: Message, lane: string): Received | undefined {
  const { type } = message
  if (type === 'response.created') return { kind: 'begun', lane, key: lane }
  if (OVER.has(type)) return { kind: 'over', lane, key: lane }
  if (type === 'error') return { kind: 'error', lane, key: lane }
  return typeof type === 'string' && type.startsWith('response.') ? { kind: 'part', key: lane } : undefined
}

const SESSION = 'session'

/**
 * Live (openai 7.57, live.d.ts): the session is billed by its seconds, a running total; what it delegates to responses
 * and decisions is told within it and billed beside it.
 */
function liveTalk(pathname: string): Talk {
  const isWatching = /\/attach\/?$/.test(pathname)
  const setting: Record<string, unknown> = { isShared: isWatching }
  return {
    setting,
    isWatching,
    sent: ({ type }) => {
      if (type === 'session.start') return { kind: 'ask', lane: SESSION }
      if (type === 'session.input_audio.append' || type === 'response.create') return { kind: 'feed' }
      return undefined
    },
    received(message) {
      const { type } = message
      if (type === 'session.started' || type === 'session.updated') setting['session'] = message['session']
      if (type === 'session.started') return { kind: 'begun', lane: SESSION, key: SESSION }
      if (type === 'session.usage.updated') return { kind: 'part', key: SESSION, begins: true }
      if (type === 'session.closed') return { kind: 'over', lane: SESSION, key: SESSION }
      if (type === 'error') {
        const error = object(message['error'])
        return { kind: 'error', key: '', id: error?.['client_event_id'] ?? message['client_event_id'] }
      }
      const inner = object(message['event'])
      if (type === 'response.event' && inner) {
        const said = receivedOf(inner, `delegation ${text(message['delegation_id'])}`)
        return said && { ...said, of: 'responses', message: inner }
      }
      if (inner?.['type'] === 'decision.completed')
        return { kind: 'alone', key: 'alone', of: 'decisions', message: inner }
      return undefined
    },
  }
}
