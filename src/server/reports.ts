// `POST /v1/meters`: what a meter says of itself, checked before it is kept. The contract is docs/wire.md.

import { REFUSAL_CODES } from '../errors.ts'
import { timeIn } from '../event.ts'
import { LIMIT_WINDOWS } from '../limits/window.ts'
import { fromWireReport, REPORT_VERSION, type RefusedCode, type WireReport } from '../sinks/meter-report.ts'
import type { Sink } from '../sinks/sink.ts'
import { explain } from '../wire.ts'
import { answer, refusal } from './answer.ts'
import { readJson } from './body.ts'
import type { Caller } from './keys.ts'

/** In the answer to a batch: a sender that has not seen it sends no report. */
export const REPORTS_HEADER = { 'tallygate-meters': String(REPORT_VERSION) }

/** Ten times what a meter sends that has as much to say as it keeps. */
const MAX_BYTES = 4 * 1024 * 1024
const MOST_REFUSALS = 2000
const MOST_PROBLEMS = 100
const MOST_HOSTS = 200
/** Of one minute, meter and limit: a sum of them stays far below what a database can add up. */
const MOST_CALLS = 1_000_000_000
const LONGEST = { id: 256, text: 1024, scope: 512 }
const CODES: readonly RefusedCode[] = [...REFUSAL_CODES, 'MISSING_TENANT', 'OTHERS']
/** See `brokenOffBy` of the ledgers: what is under way goes on. */
const PATIENT = new AbortController().signal

type Schema = Awaited<ReturnType<typeof buildSchema>>
let schema: Promise<Schema> | undefined

export function createReportIntake(
  ledger: Sink,
  now: () => number,
): (request: Request, caller: Caller) => Promise<Response> {
  return async (request, { project }) => {
    const body = await readJson(request, MAX_BYTES)
    if (body instanceof Response) return body
    const { value } = body
    const version = (value as { version?: unknown } | null)?.version
    if (Number.isInteger(version) && (version as number) > REPORT_VERSION)
      return refusal(415, `This server takes versions of reports up to ${REPORT_VERSION}.`)
    const fault = explain(await (schema ??= buildSchema()), 'body', value)
    if (fault !== undefined) return refusal(400, fault)
    const report = fromWireReport(value as WireReport)
    // A clock that is ahead would put its meter above all others until its time has come.
    const at = Math.min(report.at, now())
    const isKept = await ledger.report!({ ...report, at, ...(project !== undefined && { project }) }, PATIENT)
    return answer(200, { kept: isKept })
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const CONTROL = /[\u0000-\u001f\u007f\ud800-\udfff]/u

async function buildSchema() {
  const { z } = await import('zod')
  const text = (least: number, most: number) => {
    const said = `a string of ${least} to ${most} characters without control characters`
    return z
      .string(said)
      .min(least, said)
      .max(most, said)
      .refine((value) => !CONTROL.test(value), said)
  }
  const MOMENT = 'an ISO 8601 time such as 2026-11-22T14:05:00.000Z'
  const time = z.string(MOMENT).refine((value) => value.length <= 40 && timeIn(value) >= 0, MOMENT)
  const COUNT = 'a whole number of 0 or more'
  const count = z.int(COUNT).min(0, COUNT)
  const FIRST = 'a whole number above 0'
  const positive = z.int(FIRST).min(1, FIRST)
  const REFUSED = `a whole number from 1 to ${MOST_CALLS}`
  const refused = z.int(REFUSED).min(1, REFUSED).max(MOST_CALLS, REFUSED)
  const list = <T extends import('zod').ZodType>(item: T, most: number) =>
    z.array(item, `a list of at most ${most}`).max(most, `a list of at most ${most}`)
  const oneOf = <T extends string>(names: readonly T[]) => z.enum(names, `one of ${names.join(', ')}`)
  const MINUTE = 'the beginning of a minute, such as 2026-11-22T14:05:00.000Z'
  return z.object(
    {
      version: z.literal(REPORT_VERSION, `${REPORT_VERSION}`),
      meter_id: text(1, LONGEST.id),
      sequence: positive,
      at: time,
      started_at: time,
      ended: z.boolean('a boolean').nullish(),
      app_name: text(0, LONGEST.text).nullish(),
      environment: text(0, LONGEST.text).nullish(),
      host_name: text(0, LONGEST.text),
      pid: count.nullish(),
      tallygate: text(0, LONGEST.text),
      node: text(0, LONGEST.text).nullish(),
      calls: count,
      errors: count,
      refused: count,
      waiting: count,
      waiting_since: time.nullish(),
      lost: count,
      dead_letters: count,
      unmetered: list(
        z.object({ host: text(1, LONGEST.text).nullable(), calls: count, unknown: count }, 'an object'),
        MOST_HOSTS,
      ).nullish(),
      problems: list(
        z.object({ kind: text(1, LONGEST.id), at: time, message: text(0, LONGEST.text) }, 'an object'),
        MOST_PROBLEMS,
      ).nullish(),
      refusals: list(
        z.object(
          {
            at: time.refine((value) => timeIn(value) % 60_000 === 0, MINUTE),
            tenant_id: text(1, LONGEST.id).nullish(),
            scope: text(1, LONGEST.scope).nullish(),
            window: oneOf(LIMIT_WINDOWS).nullish(),
            code: oneOf(CODES),
            calls: refused,
          },
          'an object',
        ),
        MOST_REFUSALS,
      ).nullish(),
    },
    'an object',
  )
}
