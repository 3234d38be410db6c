// Anthropic's managed agents and dreams: what is said to a session is answered in its events.

import { type Counts, generate, outputTotal, reported } from './generation.ts'
import { NOTHING } from './openai-media.ts'
import { type Answer, asText, type Billable, type Call, isJson, type Json } from './wire.ts'
import { countTokens } from './words.ts'

const ACTIVE_SECONDS = 60

interface Session {
  readonly json: Json
  readonly model: string
  readonly events: Json[]
}

/** Gives `undefined` for what is neither. */
export function anthropicAgents(): (call: Call) => Answer | undefined {
  const sessions = new Map<string, Session>()
  const dreams = new Map<string, { readonly open: Json; readonly over: Json; asked: number }>()

  function createSession({ body, reply, serial, now }: Call): Answer {
    const id = `sesn_${serial}`
    const model = reply.model ?? 'claude-opus-5-5'
    const agent = {
      id: asText(body.agent) ?? 'agent_1',
      type: 'agent',
      name: 'Emulated',
      model: { id: model },
      version: 1,
    }
    const json = {
      id,
      type: 'session',
      agent,
      status: 'idle',
      archived_at: null,
      created_at: now.toISOString(),
      usage: {},
    }
    sessions.set(id, { json, model, events: [] })
    return { status: 200, json }
  }

  function say(session: Session, call: Call): Answer {
    const { body, reply, serial, now } = call
    const at = now.toISOString()
    const { counts } = generate({ tokens: countTokens(body.events) + 20, serial }, reply)
    const told = { ...counts, cacheWrite: counts.cacheWrite + counts.cacheWrite1h, cacheWrite1h: 0, webSearches: 0 }
    const event = (type: string, more: Json): Json => ({ id: `evt_${serial}_${type}`, type, processed_at: at, ...more })
    session.events.push(
      event('span.model_request_start', {}),
      event('agent.message', { content: [{ type: 'text', text: 'Emulated.' }] }),
      event('span.model_request_end', {
        is_error: false,
        model_request_start_id: `evt_${serial}_span.model_request_start`,
        model_usage: reported(reply, modelUsage(told)),
      }),
      event('session.usage', { usage: modelUsage(told) }),
      event('session.status_idle', { stop_reason: { type: 'end_turn' } }),
    )
    const billable: Billable = {
      model: session.model,
      endpoint: 'sessions',
      responseId: `evt_${serial}_span.model_request_end`,
      terms: {},
      counts: told,
      usage: modelUsage,
    }
    return { status: 200, json: { data: body.events }, billable }
  }

  function archive({ json, model, events }: Session, { now }: Call): Answer {
    const id = String(json.id)
    const usage = { active_seconds: ACTIVE_SECONDS }
    const billable: Billable = {
      model,
      endpoint: 'sessions',
      responseId: `${id}#runtime`,
      terms: {},
      counts: NOTHING,
      extras: { sessionSeconds: ACTIVE_SECONDS },
      usage: () => usage,
    }
    const archived = { ...json, archived_at: now.toISOString(), usage }
    sessions.set(id, { json: archived, model, events })
    return { status: 200, json: archived, billable }
  }

  function dream({ body, reply, serial, now }: Call): Answer {
    const id = `drm_${serial}`
    const model = asText(isJson(body.model) ? body.model.id : body.model) ?? 'claude-opus-5-5'
    const { counts } = generate({ tokens: countTokens(body.instructions) + 500, serial }, { ...reply, webSearches: 0 })
    const open = {
      id,
      type: 'dream',
      status: 'pending',
      model: { id: model, speed: 'standard' },
      created_at: now.toISOString(),
      usage: modelUsage(NOTHING),
      error: null,
    }
    dreams.set(id, {
      open,
      over: { ...open, status: 'completed', usage: reported(reply, modelUsage(counts)) },
      asked: 0,
    })
    const billable: Billable = { model, endpoint: 'dreams', responseId: id, terms: {}, counts, usage: modelUsage }
    return { status: 200, json: open, billable }
  }

  return (call) => {
    const { method, path } = call
    if (method === 'POST' && path.endsWith('/v1/sessions')) return createSession(call)
    if (method === 'POST' && path.endsWith('/v1/dreams')) return dream(call)
    const kept = dreams.get(/\/dreams\/([^/]+)$/.exec(path)?.[1] ?? '')
    if (kept) return { status: 200, json: kept.asked++ > 0 ? kept.over : { ...kept.open, status: 'running' } }
    const [, id = '', rest = ''] = /\/sessions\/([^/]+)(\/.*)?$/.exec(path) ?? []
    const session = sessions.get(id)
    if (!session) return undefined
    if (rest === '' && method === 'GET') return { status: 200, json: session.json }
    if (rest === '/archive') return archive(session, call)
    if (rest === '/events' && method === 'POST') return say(session, call)
    if (rest === '/events') return { status: 200, json: { data: session.events, next_page: null } }
    if (rest !== '/events/stream') return undefined
    return { status: 200, events: session.events.map((data) => ({ event: String(data.type), data })) }
  }
}

function modelUsage(counts: Counts): Json {
  return {
    input_tokens: counts.input + counts.audioInput + counts.toolUse,
    cache_creation_input_tokens: counts.cacheWrite + counts.cacheWrite1h,
    cache_read_input_tokens: counts.cacheRead,
    output_tokens: outputTotal(counts),
  }
}
