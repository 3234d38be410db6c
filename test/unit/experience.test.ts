// What was learned from earlier calls: a running percentile, by tenant and for everybody.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createExperience } from '../../src/call/experience.ts'
import { createQuantile } from '../../src/call/quantile.ts'

describe('the running 95th percentile', () => {
  test('is within 9 % of the true one, and never below it, for values of any spread', () => {
    const values = fc.array(fc.integer({ min: 1_000_000, max: 30_000_000 }), { minLength: 20, maxLength: 500 })
    fc.assert(
      fc.property(values, (all) => {
        const quantile = createQuantile()
        for (const value of all) quantile.add(value)
        const sorted = all.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil(all.length * 0.95) - 1]!
        expect(quantile.read()).toBeGreaterThanOrEqual(exact * 0.999)
        expect(quantile.read()).toBeLessThanOrEqual(exact * 1.1)
      }),
    )
  })

  test('is the highest while there are few, and exact where all are the same', () => {
    const quantile = createQuantile()
    expect(quantile.read()).toBe(0)
    for (const value of [5_000, 7_000, 6_000]) quantile.add(value)
    expect(quantile.read()).toBe(7_000)
  })

  test('follows a change, and values beyond all bounds do no harm', () => {
    const quantile = createQuantile()
    for (let at = 0; at < 500; at++) quantile.add(1_000_000)
    for (let at = 0; at < 500; at++) quantile.add(9_000_000)
    expect(quantile.read()).toBeGreaterThanOrEqual(8_500_000)
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) quantile.add(value)
    expect(quantile.read()).toBeGreaterThan(0)
    expect(quantile.count).toBeLessThan(512)
  })
})

describe('experience', () => {
  const lesson = { tenantId: 'acme', endpoint: 'responses', model: 'gpt-4o', outputTokens: 100, cost: undefined }

  test('of output is a guess at first, then what was seen, then a moving average', () => {
    const experience = createExperience()
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(1000)
    experience.learn(lesson)
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(100)
    experience.learn({ ...lesson, outputTokens: 900 })
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(200)
    expect(experience.outputOf('responses', 'gpt-4o-mini')).toBe(1000)
    expect(experience.outputOf('chat.completions', 'gpt-4o')).toBe(1000)
  })

  test('of cost is nothing at first', () => {
    const experience = createExperience()
    for (let call = 0; call < 7; call++) experience.learn({ ...lesson, cost: 1000n })
    expect(experience.expectedOf('acme', 'gpt-4o', 'responses')).toBeUndefined()
    experience.learn({ ...lesson, tenantId: undefined, cost: 1000n })
    expect(experience.expectedOf('acme', 'gpt-4o', 'responses')).toBe(1000n)
    expect(experience.expectedOf('acme', 'gpt-4o', 'messages')).toBeUndefined()
  })

  test('does not grow for ever', () => {
    const experience = createExperience()
    experience.learn({ ...lesson, model: 'first', outputTokens: 7 })
    for (let model = 0; model < 10_000; model++) experience.learn({ ...lesson, model: `model-${model}` })
    expect(experience.outputOf('responses', 'first')).toBe(1000)
    const tenants = createExperience()
    for (let call = 0; call < 10; call++) tenants.learn({ ...lesson, tenantId: 'first', cost: 5_000_000n })
    for (let at = 0; at < 25_000; at++) tenants.learn({ ...lesson, tenantId: `tenant-${at}`, cost: 1_000_000n })
    expect(tenants.expectedOf('first', 'gpt-4o', 'responses')).toBeLessThan(1_200_000n)
  })

  test('of a tenant that goes on calling is not forgotten, however many others come and go', () => {
    const tenants = createExperience()
    for (let call = 0; call < 10; call++) tenants.learn({ ...lesson, tenantId: 'first', cost: 5_000_000n })
    for (let at = 0; at < 50_000; at++) {
      tenants.learn({ ...lesson, tenantId: `tenant-${at}`, cost: 1_000_000n })
      if (at % 5000 === 0) tenants.learn({ ...lesson, tenantId: 'first', cost: 5_000_000n })
    }
    expect(tenants.expectedOf('first', 'gpt-4o', 'responses')).toBe(5_000_000n)
    expect(tenants.expectedOf('tenant-1', 'gpt-4o', 'responses')).toBeLessThan(1_200_000n)
  })
})
