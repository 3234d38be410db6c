// Where notices go: a webhook, a channel of Slack, a function.

import { createHash } from 'node:crypto'
import { expected, MeterError } from '../errors.ts'
import { type Client, createClient } from '../sinks/billing/post.ts'
import type { Notice } from './alert.ts'
import { SIGNATURE_HEADER, signatureOf } from './signature.ts'

export interface AlertTarget {
  /** What is told it is remembered by it: another name is told everything anew. */
  readonly name: string
  /** Resolves when it is told; throws where it has to be told again. */
  tell(notice: Notice, signal: AbortSignal): Promise<void>
  close?(): Promise<void>
}

export interface WebhookOptions {
  readonly url: string
  /** What bodies are signed with; left out, they are not. */
  readonly secret?: string | undefined
  /** Further headers, for whatever stands before the receiver. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly now?: (() => number) | undefined
}

/**
 * Posts each notice as JSON, signed: `verifyAlert` checks it.
 *
 * @example
 * const target = webhook({ url: 'https://ops.example.com/alerts', secret: process.env['ALERT_SECRET'] })
 */
export function webhook({ url, secret, headers = {}, now = Date.now }: WebhookOptions): AlertTarget {
  const checked = checkUrl('url', url)
  if (secret !== undefined && (typeof secret !== 'string' || secret === ''))
    throw new MeterError('BAD_OPTION', 'Expected `secret` to be a string of at least one character.')
  return posting('webhook', checked, (notice) => {
    const body = JSON.stringify(wireOf(notice))
    const signed = secret === undefined ? {} : { [SIGNATURE_HEADER]: signatureOf(body, secret, now()) }
    return { body, headers: { ...headers, ...signed, 'tallygate-notice': notice.id } }
  })
}

/**
 * Posts each notice in the shape that Slack's incoming webhooks take, which others take too.
 *
 * @example
 * const target = slack({ url: process.env['SLACK_WEBHOOK_URL'] ?? '' })
 */
export function slack({ url }: Pick<WebhookOptions, 'url'>): AlertTarget {
  return posting('slack', checkUrl('url', url), (notice) => {
    const text = `*${notice.status === 'firing' ? HEADS[notice.severity] : 'Over'}* ${escaped(notice.message)}`
    const fields = Object.entries(notice.details ?? {}).map(([name, value]) => `${name}: ${value}`)
    const blocks = [
      { type: 'section', text: { type: 'mrkdwn', text: text.slice(0, 2900) } },
      {
        type: 'context',
        elements: [
          { type: 'mrkdwn', text: escaped([`tallygate, since ${notice.since}`, ...fields].join(' · ')).slice(0, 1900) },
        ],
      },
    ]
    return { body: JSON.stringify({ text, blocks }), headers: {} }
  })
}

const HEADS = { warning: 'Warning', critical: 'Critical' } as const

/** `&`, `<` and `>` are Slack's own signs: docs.slack.dev/messaging/formatting-message-text, 2026-11. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/**
 * Tells a function. One that throws, or whose promise is rejected, is told again.
 *
 * @example
 * const target = callback('pager', async ({ status, message }) => console.log(status, message))
 */
export function callback(name: string, tell: (notice: Notice) => unknown): AlertTarget {
  return {
    name: `function:${name}`,
    async tell(notice) {
      await tell(notice)
    },
  }
}

interface Post {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

function posting(kind: string, url: URL, write: (notice: Notice) => Post): AlertTarget {
  let client: Client | undefined
  return {
    // The address of such a channel is a secret by itself.
    name: `${kind}:${createHash('sha256').update(url.href).digest('hex').slice(0, 16)}`,
    async tell(notice, signal) {
      client ??= createClient(1)
      const { body, headers } = write(notice)
      const ask = {
        method: 'POST',
        url: url.href,
        headers: { 'content-type': 'application/json', ...headers },
        body,
        signal,
      } as const
      const { status } = await client.ask(ask).catch((cause: { code?: unknown; name?: unknown }) => {
        throw new MeterError(
          'DELIVERY_REJECTED',
          `The ${kind} at ${url.host} could not be reached (${String(cause.code ?? cause.name)}).`,
        )
      })
      if (status < 200 || status > 299)
        throw new MeterError('DELIVERY_REJECTED', `The ${kind} at ${url.host} answered ${status}.`)
    },
    async close() {
      await client?.close()
      client = undefined
    },
  }
}

/** In snake_case, as everything else that travels. */
function wireOf({ tenantId, ...notice }: Notice): Record<string, unknown> {
  const { id, status, kind, severity, message, key, since, until, details } = notice
  return {
    id,
    status,
    kind,
    severity,
    message,
    key,
    tenant_id: tenantId ?? null,
    since,
    until: until ?? null,
    details: details ?? {},
  }
}

function checkUrl(name: string, value: unknown): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  // Not what it was: it may be the address of a channel, misspelt.
  throw new MeterError('BAD_OPTION', expected(name, 'an http or https address', typeof value))
}
