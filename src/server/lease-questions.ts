// What may be asked of `POST /v1/leases`, and one sentence for what may not.

import { LIMIT_MODES, MeterError } from '../errors.ts'
import { fromWireRule, MOST_AT_ONCE, MOST_NANO, type Question, type WireRule } from '../limits/http-wire.ts'
import { ruleOf } from '../limits/limit.ts'
import { type LimitTarget, scopeOf, targetOf } from '../limits/scope.ts'
import { LIMIT_WINDOWS } from '../limits/window.ts'
import { formatUsd, picoFromNano } from '../money.ts'
import { explain } from '../wire.ts'

/** A scope of six fields of 256 characters, of which each may take nine when it is percent-encoded. */
const MOST_SCOPE = 14_000
const MOST_TEXT = 256
/** The slots of a rolling month are 30. */
const MOST_EARLIER = 64
const MOST_TENANTS = 10_000
const MOST_TTL_MS = 24 * 3_600_000
const MOST_PERCENT = 1000

type Schemas = Awaited<ReturnType<typeof buildSchemas>>
let schemas: Promise<Schemas> | undefined

/** Throws MeterError `BAD_INPUT` in one sentence, which quotes nothing. */
export async function questionIn(body: unknown): Promise<Question> {
  const { asked, ...by } = await (schemas ??= buildSchemas())
  const { op } = sound(asked, body) as Pick<Question, 'op'>
  const question = sound(by[op], body) as Question
  if (question.op === 'lease' && new Set(question.steps.map(({ lease_id }) => lease_id)).size < question.steps.length)
    throw new MeterError('BAD_INPUT', 'Expected `steps` to be of different leases: each can take one step at a time.')
  if (question.op === 'set') checkRule(question.rule)
  if (question.op === 'remove') targetIn(question.key.scope)
  return question
}

function sound(schema: import('zod').ZodType, body: unknown): unknown {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new MeterError('BAD_INPUT', explain(schema, 'body', body) ?? 'The body is no question.')
}

/** A limit that cannot be is refused here: every process that learns of it would have to live with it. */
function checkRule(said: WireRule): void {
  const { scope, per, mode, limitNanoUsd, settings } = fromWireRule(said)
  const { tenants, ...others } = settings
  const target = targetIn(scope)
  const whole = typeof target === 'object' && 'organization' in target && tenants ? { ...target, tenants } : target
  ruleOf(whole, { usd: formatUsd(picoFromNano(limitNanoUsd)), per, mode, ...others })
}

function targetIn(scope: string): LimitTarget {
  try {
    const target = targetOf(scope)
    if (scopeOf(target).scope === scope) return target
  } catch {
    // It is not even encoded as one.
  }
  throw new MeterError('BAD_INPUT', 'Expected `scope` to be the canonical name of a scope, such as tenant=acme.')
}

async function buildSchemas() {
  const { z } = await import('zod')
  const text = (most: number) => {
    const said = `a string of 1 to ${most} characters without control characters`
    return z
      .string(said)
      .regex(/^[^\p{Cc}]+$/u, said)
      .max(most, said)
  }
  const whole = (least: number, most: number) => {
    const said = `a whole number from ${least} to ${most}`
    return z.int(said).min(least, said).max(most, said)
  }
  const list = <T extends import('zod').ZodType>(item: T, most: number) =>
    z.array(item, `a list of at most ${most}`).max(most, `a list of at most ${most}`)
  const oneOf = <T extends string>(names: readonly T[]) => z.enum(names, `one of ${names.join(', ')}`)
  const SUM = `a string of decimal digits, nano-dollars up to '${MOST_NANO}'`
  const nano = z.string(SUM).refine((digits) => /^\d{1,19}$/.test(digits) && BigInt(digits) <= MOST_NANO, SUM)
  const LEASE = `a string of 1 to ${MOST_TEXT} characters without control characters and slashes`
  const flag = z.literal(true, '`true`, or left out')
  const SCOPE = 'the name of a scope, such as tenant=acme'
  const scope = z
    .string(SCOPE)
    .regex(/^(\*|(tenant|user|feature|model|session|run|organization)=[^\p{Cc}]+)$/u, SCOPE)
    .max(MOST_SCOPE, SCOPE)
  const key = { scope, per: oneOf(LIMIT_WINDOWS) }
  const account = { ...key, window_id: text(MOST_TEXT), earlier: list(text(MOST_TEXT), MOST_EARLIER).optional() }
  const rule = z.object(
    {
      ...key,
      limit: nano,
      mode: oneOf(LIMIT_MODES),
      // A field that is passed over would be another limit.
      settings: z
        .strictObject(
          {
            time_zone: text(MOST_TEXT).optional(),
            anchor: whole(0, 31).optional(),
            rolling: flag.optional(),
            min_output_tokens: whole(1, 2 ** 31 - 1).optional(),
            tenants: list(text(MOST_TEXT), MOST_TENANTS).optional(),
          },
          'an object of no other fields than time_zone, anchor, rolling, min_output_tokens and tenants',
        )
        .optional(),
    },
    'an object',
  )
  const step = z.object(
    {
      ...account,
      lease_id: text(MOST_TEXT).regex(/^[^/]+$/, LEASE),
      seq: whole(0, Number.MAX_SAFE_INTEGER),
      need: nano.optional(),
      least: nano.optional(),
      want: nano.optional(),
      granted: nano.optional(),
      spent: nano.optional(),
      returned: nano.optional(),
      final: z.boolean('a boolean').optional(),
      ttl_ms: whole(0, MOST_TTL_MS),
      opening: nano.optional(),
      ends_at_ms: whole(0, Number.MAX_SAFE_INTEGER).optional(),
      warned: whole(0, MOST_PERCENT).optional(),
      if_known: flag.optional(),
    },
    'an object',
  )
  return {
    asked: z.object({ op: oneOf(['changes', 'set', 'remove', 'accounts', 'lease']) }, 'an object'),
    changes: z.object({ op: z.literal('changes'), since: whole(0, Number.MAX_SAFE_INTEGER) }),
    set: z.object({ op: z.literal('set'), rule }),
    remove: z.object({ op: z.literal('remove'), key: z.object(key, 'an object') }),
    accounts: z.object({ op: z.literal('accounts'), keys: list(z.object(account, 'an object'), MOST_AT_ONCE) }),
    lease: z.object({ op: z.literal('lease'), steps: list(step, MOST_AT_ONCE) }),
  }
}
