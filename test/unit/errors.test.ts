import { describe, expect, test } from 'vitest'
import { expected, LimitExceededError, MeterError, MissingTenantError, type Refusal } from '../../src/errors.ts'

const refusal: Refusal = {
  tenantId: 'acme',
  limitUsd: '50',
  spentUsd: '49.5',
  heldUsd: '0',
  window: 'month',
  scope: 'tenant',
  resetsAt: new Date('2026-12-01T00:00:00Z'),
}

describe('LimitExceededError', () => {
  test.each<[Partial<Refusal>, string]>([
    [{}, 'Tenant "acme" has $49.5 spent of its limit of $50 per month; it resets at 2026-12-01T00:00:00.000Z.'],
    [
      { heldUsd: '0.4' },
      'Tenant "acme" has $49.5 spent and $0.4 held for calls in flight of its limit of $50 per month; it resets at 2026-12-01T00:00:00.000Z.',
    ],
    [{ window: 'total', resetsAt: undefined }, 'Tenant "acme" has $49.5 spent of its limit of $50 in total.'],
    [
      { tenantId: 'a"b\\c', window: 'hour' },
      'Tenant "a\\"b\\\\c" has $49.5 spent of its limit of $50 per hour; it resets at 2026-12-01T00:00:00.000Z.',
    ],
  ])('says in one sentence where the tenant stands: %o', (over, message) => {
    expect(new LimitExceededError({ ...refusal, ...over }).message).toBe(message)
  })

  test('carries what it says as data, with a status that nobody retries', () => {
    const error = new LimitExceededError(refusal)
    expect(Object.fromEntries(Object.entries(error))).toEqual({
      ...refusal,
      code: 'LIMIT_EXCEEDED',
      name: 'LimitExceededError',
      status: 402,
    })
    expect(error).toBeInstanceOf(MeterError)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(MissingTenantError)
  })
})

test('MissingTenantError says what to do', () => {
  const error = new MissingTenantError()
  expect(error).toMatchObject({ code: 'MISSING_TENANT', status: 402, name: 'MissingTenantError' })
  expect(error.message).toContain('meter.forTenant(id, fn)')
  expect(error).not.toBeInstanceOf(LimitExceededError)
})

test('errors of another copy of the package are known by their brand, and nothing else is', () => {
  const twin = Object.assign(Object.create({ [Symbol.for('tallygate.MeterError')]: true }), { code: 'BAD_INPUT' })
  expect(twin).toBeInstanceOf(MeterError)
  for (const other of [null, undefined, 'x', 7, {}, new Error('x'), () => {}])
    expect(other instanceof MeterError).toBe(false)
})

test('the cause is kept', () => {
  const cause = new Error('disk full')
  expect(new MeterError('LEDGER_UNAVAILABLE', 'No ledger.', { cause }).cause).toBe(cause)
})

describe('what was expected, and what came', () => {
  test.each<[unknown, string]>([
    ['yes', '"yes"'],
    ['', '""'],
    ['two\nlines', '"two\\nlines"'],
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['x'.repeat(41), 'a string of 41 characters'],
    [undefined, '`undefined`'],
    [null, '`null`'],
    [Number.NaN, '`NaN`'],
    [-1, '`-1`'],
    [false, '`false`'],
    [7n, '`7n`'],
    [[], 'an array'],
    [{}, 'an object'],
    [new Date(), 'an object'],
    [() => {}, 'a function'],
    [Symbol('x'), 'a symbol'],
  ])('%o', (value, said) => {
    expect(expected('limit', 'a number', value)).toBe(`Expected \`limit\` to be a number, got ${said}.`)
  })
})
