// A refusal is an error of the SDK that is refused, of that very copy, and one of ours.

import { createRequire } from 'node:module'
import * as Anthropic from '@anthropic-ai/sdk'
import * as Genai from '@google/genai'
import * as OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { LimitExceededError, MeterError, MissingTenantError } from '../../src/errors.ts'
import { dressRefusal, type ErrorClass } from '../../src/patch/refusal.ts'

const require = createRequire(import.meta.url)
const limit = () =>
  new LimitExceededError({
    tenantId: 'acme',
    limitUsd: '50',
    spentUsd: '49.5',
    heldUsd: '0.5',
    window: 'month',
    scope: 'tenant',
    resetsAt: new Date('2026-12-01T00:00:00Z'),
  })

const openaiCjs = require('openai') as typeof OpenAI
const SDKS: readonly [string, unknown, 'stainless' | 'google', unknown][] = [
  ['openai', OpenAI.APIError, 'stainless', OpenAI.OpenAIError],
  ['openai, CommonJS', openaiCjs.APIError, 'stainless', openaiCjs.OpenAIError],
  ['@anthropic-ai/sdk', Anthropic.APIError, 'stainless', Anthropic.AnthropicError],
  ['@google/genai', Genai.ApiError, 'google', Error],
]

describe.each(SDKS)('%s', (_, base, shape, root) => {
  const refusals = [limit(), new MissingTenantError()]

  test.each(refusals.map((refusal) => [refusal.name, refusal] as const))('%s', (name, refusal) => {
    const error = dressRefusal(refusal, base as ErrorClass, shape)
    expect(error).toBeInstanceOf(base)
    expect(error).toBeInstanceOf(root)
    expect(error).toBeInstanceOf(refusal.constructor)
    expect(error).toBeInstanceOf(MeterError)
    expect(error.name).toBe(name)
    expect(error.message).toBe(refusal.message)
    expect((error as { status?: number }).status).toBe(402)
    expect(String(error)).toBe(`${name}: ${refusal.message}`)
    expect(error.stack).toContain(refusal.message)
  })

  test('it says all that the plain refusal says', () => {
    const error = dressRefusal(limit(), base as ErrorClass, shape)
    expect(error).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      tenantId: 'acme',
      limitUsd: '50',
      spentUsd: '49.5',
      heldUsd: '0.5',
      window: 'month',
      scope: 'tenant',
      resetsAt: new Date('2026-12-01T00:00:00Z'),
    })
  })

  test('one kind is not the other', () => {
    expect(dressRefusal(limit(), base as ErrorClass, shape)).not.toBeInstanceOf(MissingTenantError)
    expect(dressRefusal(new MissingTenantError(), base as ErrorClass, shape)).not.toBeInstanceOf(LimitExceededError)
  })

  test('each refusal is an error of its own', () => {
    const [first, second] = [limit(), limit()].map((it) => dressRefusal(it, base as ErrorClass, shape))
    expect(first).not.toBe(second)
    expect(first?.constructor).toBe(second?.constructor)
  })
})

test('the errors of two copies of one SDK are not each other’s', () => {
  const error = dressRefusal(limit(), OpenAI.APIError as unknown as ErrorClass, 'stainless')
  expect(error).not.toBeInstanceOf(openaiCjs.APIError)
})

describe('an SDK whose error cannot be had', () => {
  test('is refused by the plain error', () => {
    const refusal = limit()
    expect(dressRefusal(refusal, undefined, 'stainless')).toBe(refusal)
  })

  test('because its base takes other arguments is refused by the plain error', () => {
    class Strange extends Error {
      constructor({ text }: { text: string }) {
        super(text)
      }
    }
    const refusal = limit()
    expect(dressRefusal(refusal, Strange as unknown as ErrorClass, 'stainless')).toBe(refusal)
  })
})
