// The dashboard's page, under rules that let it run what it brings, talk to its own server, and nothing else.

import { createHash } from 'node:crypto'
import { MeterError } from '../errors.ts'
import { wrongMethod } from './answer.ts'

/** One file with one script and one style sheet, as scripts/dashboard.mjs writes it. */
export function createPage(html: string): (request: Request) => Response {
  const policy = policyFor(html)
  const bytes = new TextEncoder().encode(html)
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-cache',
    etag,
  }
  return (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET')
    if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
    return new Response(bytes, { headers })
  }
}

function policyFor(html: string): string {
  const script = contentOf(html, 'script')
  const style = contentOf(html, 'style')
  return [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

function contentOf(html: string, tag: string): string {
  const found = [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))]
  if (found.length !== 1)
    throw new MeterError('BAD_OPTION', `Expected \`page\` to be the page of the dashboard, with one <${tag}>.`)
  return found[0]![1]!
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
