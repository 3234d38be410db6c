// The file that says which alerts there are and who is told, checked name by name. Secrets may stand in the environment.

import { MeterError } from '../errors.ts'
import { explain } from '../wire.ts'
import { type AlertTarget, slack, webhook } from './targets.ts'
import type { WatchAlertsOptions } from './watch-alerts.ts'

export type AlertConfig = Pick<
  WatchAlertsOptions,
  'to' | 'everyMs' | 'limits' | 'anomalies' | 'unpriced' | 'drift' | 'bills'
> & {
  readonly isDeadLetters: boolean
}

interface Target {
  readonly webhook?: string | undefined
  readonly slack?: string | undefined
  readonly secret?: string | undefined
  readonly headers?: Record<string, string> | undefined
}

const SHARES = 'a list of 1 to 20 shares in per cent'

/** Throws a `MeterError` of one sentence. */
export async function alertConfigOf(value: unknown, env: NodeJS.ProcessEnv): Promise<AlertConfig> {
  const { z } = await import('zod')
  const only = (names: string) => (issue: { code?: string }) =>
    issue.code === 'unrecognized_keys' ? `an object of ${names} only` : 'an object'
  const text = z.string('a string').min(1, 'a string of at least one character')
  const share = z.number('a number above 0').positive('a number above 0')
  const usd = z.union([z.number(), text], 'dollars: a number, or a string of decimal digits')
  const target = z.strictObject(
    {
      webhook: text.optional(),
      slack: text.optional(),
      secret: text.optional(),
      headers: z.record(z.string(), text, 'an object of strings').optional(),
    },
    { error: only('webhook, slack, secret and headers') },
  )
  const off = z.literal(false)
  const schema = z.strictObject(
    {
      to: z.array(target, 'a list of targets').min(1, 'a list of at least one target'),
      everySeconds: z.number('a number from 5').min(5, 'a number from 5').optional(),
      limits: z
        .union(
          [off, z.strictObject({ at: z.array(share, SHARES).min(1, SHARES).max(20, SHARES).optional() })],
          '`false`, or an object with `at`, a list of per cent',
        )
        .optional(),
      anomalies: z
        .union(
          [
            off,
            z.strictObject({
              factor: z.number('a number from 1').min(1, 'a number from 1').optional(),
              atLeastUsd: usd.optional(),
            }),
          ],
          '`false`, or an object of `factor` and `atLeastUsd`',
        )
        .optional(),
      unpriced: z.boolean('true or false').optional(),
      deadLetters: z.boolean('true or false').optional(),
      drift: z
        .union(
          [off, z.strictObject({ percent: share.optional(), calls: share.optional() })],
          '`false`, or an object of `percent` and `calls`',
        )
        .optional(),
      bills: z.boolean('true or false').optional(),
    },
    { error: only('to, everySeconds, limits, anomalies, unpriced, deadLetters, drift and bills') },
  )
  const fault = explain(schema, 'config', value)
  if (fault !== undefined) throw new MeterError('BAD_OPTION', fault)
  const { to, everySeconds, deadLetters = true, ...rest } = schema.parse(value)
  return {
    ...rest,
    to: to.map((one, i) => targetOf(one, i, env)),
    ...(everySeconds !== undefined && { everyMs: everySeconds * 1000 }),
    isDeadLetters: deadLetters,
  }
}

function targetOf(
  { webhook: url, slack: channel, secret, headers }: Target,
  i: number,
  env: NodeJS.ProcessEnv,
): AlertTarget {
  if ((url === undefined) === (channel === undefined))
    throw new MeterError('BAD_OPTION', `Expected \`to.${i}\` to have one of \`webhook\` and \`slack\`.`)
  if (channel !== undefined) return slack({ url: told(channel, `to.${i}.slack`, env) })
  const signed = secret === undefined ? undefined : told(secret, `to.${i}.secret`, env)
  return webhook({ url: told(url!, `to.${i}.webhook`, env), secret: signed, headers })
}

/** `env:ALERT_SECRET` is what that variable holds. */
function told(text: string, field: string, env: NodeJS.ProcessEnv): string {
  if (!text.startsWith('env:')) return text
  const name = text.slice('env:'.length)
  const value = env[name]
  if (value) return value
  throw new MeterError('BAD_OPTION', `\`${field}\` is to be found in the environment, where ${name} is not set.`)
}
