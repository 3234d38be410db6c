// What a webhook is signed with, and how its receiver checks that.

import { createHmac, timingSafeEqual } from 'node:crypto'

/** The header: `t=<seconds since 1970>,v1=<hex of HMAC-SHA256 over "<t>.<body>">`. */
export const SIGNATURE_HEADER = 'tallygate-signature'

const TOLERANCE_SECONDS = 300

export function signatureOf(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  return `t=${seconds},v1=${macOf(seconds, body, secret)}`
}

export interface VerifyOptions {
  /** Epoch milliseconds; the clock's unless told. */
  readonly now?: number | undefined
  /** How old a signature may be, in seconds; 300. */
  readonly toleranceSeconds?: number | undefined
}

/**
 * Whether a webhook came from whoever has the secret, unchanged and lately. `body` is the text as it came, not parsed and
 * written again.
 *
 * @example
 * const body = await request.text()
 * const isOurs = verifyAlert(body, request.headers.get('tallygate-signature'), process.env['ALERT_SECRET'] ?? '')
 */
export function verifyAlert(
  body: string,
  signature: string | null | undefined,
  secret: string,
  { now = Date.now(), toleranceSeconds = TOLERANCE_SECONDS }: VerifyOptions = {},
): boolean {
  const [, seconds, mac] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature ?? '') ?? []
  if (seconds === undefined || mac === undefined) return false
  if (Math.abs(now / 1000 - Number(seconds)) > toleranceSeconds) return false
  return timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(Number(seconds), body, secret)))
}

function macOf(seconds: number, body: string, secret: string): string {
  return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
}
