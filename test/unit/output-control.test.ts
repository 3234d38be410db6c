// The output cap of a request, lowered in its text and in nothing else.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chatOutput, contentOutput, messageOutput, withCap } from '../../src/providers/output-control.ts'
import type { OutputControl } from '../../src/providers/provider.ts'

describe('a cap', () => {
  test.each<[string, OutputControl, string, string]>([
    ['{"max_tokens":500}', chatOutput, 'openai', '{"max_tokens":100}'],
    ['{"max_tokens":50}', chatOutput, 'openai', '{"max_tokens":50}'],
    ['{ "max_tokens" : 5e2 , "a":1}', chatOutput, 'openai', '{ "max_tokens" : 100 , "a":1}'],
    ['{"a":1}', chatOutput, 'openai', '{"a":1,"max_completion_tokens":100}'],
    ['{"a":1 }', chatOutput, 'deepseek', '{"a":1 ,"max_tokens":100}'],
    ['{}', chatOutput, 'azure', '{"max_completion_tokens":100}'],
    ['{"max_completion_tokens":null}', chatOutput, 'openai', '{"max_completion_tokens":100}'],
    [
      '{"max_tokens":7,"max_completion_tokens":900}',
      chatOutput,
      'openai',
      '{"max_tokens":7,"max_completion_tokens":100}',
    ],
    [
      '{"messages":[{"content":"\\"max_tokens\\":9"}],"max_tokens":900}',
      messageOutput,
      'anthropic',
      '{"messages":[{"content":"\\"max_tokens\\":9"}],"max_tokens":100}',
    ],
    ['{"a":12345678901234567890}', messageOutput, 'anthropic', '{"a":12345678901234567890,"max_tokens":100}'],
    ['{"contents":[]}', contentOutput, 'google', '{"contents":[],"generationConfig":{"maxOutputTokens":100}}'],
    [
      '{"generationConfig":{"topK":1}}',
      contentOutput,
      'google',
      '{"generationConfig":{"topK":1,"maxOutputTokens":100}}',
    ],
    [
      '{"generationConfig":{"maxOutputTokens":900},"a":{}}',
      contentOutput,
      'google',
      '{"generationConfig":{"maxOutputTokens":100},"a":{}}',
    ],
    ['{"generationConfig":null}', contentOutput, 'google', '{"generationConfig":{"maxOutputTokens":100}}'],
  ])('of %s', (text, control, provider, capped) => {
    expect(withCap(text, control, 100, provider)).toBe(capped)
  })

  test.each(['', '[]', 'null', '{"a"', '{"a":1', '{a:1}', 'hello'])('has no place in %j', (text) => {
    expect(withCap(text, messageOutput, 100, 'anthropic')).toBeUndefined()
  })

  test('is set, and all the rest is as it was, whatever the request', () => {
    const request = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 })
    const property = fc.property(
      request,
      fc.option(fc.nat(1000), { nil: undefined }),
      fc.nat(1000),
      (body, own, cap) => {
        const { max_tokens: _, ...rest } = { ...body, max_tokens: own }
        const given = own === undefined ? rest : { ...rest, max_tokens: own }
        const sent = JSON.parse(withCap(JSON.stringify(given), messageOutput, cap, 'anthropic')!) as object
        expect(sent).toEqual(JSON.parse(JSON.stringify({ ...rest, max_tokens: Math.min(cap, own ?? cap) })))
      },
    )
    fc.assert(property, { numRuns: 300 })
  })
})

describe('all output is seen', () => {
  const seen = (control: OutputControl, body: object, model: string, provider: string) =>
    control.isSeen!(body as Record<string, unknown>, { model, stream: true }, provider)

  test.each<[boolean, OutputControl, object, string, string]>([
    [true, chatOutput, {}, 'gpt-4o-mini', 'openai'],
    [true, chatOutput, {}, 'ft:gpt-4o-mini:acme', 'azure'],
    [false, chatOutput, {}, 'gpt-5', 'openai'],
    [false, chatOutput, {}, 'o3', 'openai'],
    [false, chatOutput, {}, 'gpt-4o', 'my-gateway'],
    [true, messageOutput, {}, 'claude-sonnet-4-6', 'anthropic'],
    [false, messageOutput, {}, 'claude-opus-5-5', 'anthropic'],
    [true, messageOutput, { thinking: { type: 'disabled' } }, 'claude-opus-5-5', 'anthropic'],
    [false, messageOutput, { thinking: { type: 'adaptive' } }, 'claude-sonnet-4-6', 'anthropic'],
    [false, messageOutput, { thinking: null }, 'claude-opus-5-5', 'anthropic'],
    [true, contentOutput, {}, 'gemini-2.0-flash', 'google'],
    [false, contentOutput, {}, 'gemini-2.5-flash', 'google'],
    [
      true,
      contentOutput,
      { generationConfig: { thinkingConfig: { thinkingBudget: 0 } } },
      'gemini-2.5-flash',
      'google',
    ],
  ])('%s for %o', (isSeen, control, body, model, provider) => {
    expect(seen(control, body, model, provider)).toBe(isSeen)
  })
})
