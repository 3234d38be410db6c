// Which strings of a request are input that is counted as text.

import { describe, expect, test } from 'vitest'
import { mostTokens } from '../../src/providers/estimate.ts'
import { texts } from '../../src/providers/prompt.ts'

describe('texts', () => {
  test.each<[string, unknown, string[]]>([
    ['a text', 'Hi', ['Hi']],
    ['nothing', [undefined, null, '', 7, true], []],
    [
      'messages',
      [
        { role: 'user', content: 'Hi' },
        { role: 'system', content: [{ type: 'text', text: 'Be kind' }] },
      ],
      ['Hi', 'text', 'Be kind'],
    ],
    ['an image by its address', [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }], []],
    ['an image in base64', { source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }, ['image/png']],
    ['an image by its address, for Anthropic', { source: { type: 'url', url: 'https://example.com/a.png' } }, []],
    ['sound', { input_audio: { data: 'AAAA', format: 'wav' } }, ['wav']],
    ['inline data of Google', { inlineData: { mimeType: 'image/png', data: 'AAAA' } }, ['image/png']],
    [
      'an argument of a tool that is called like media',
      { input: { url: 'https://example.com', data: 'rows' } },
      ['https://example.com', 'rows'],
    ],
    ['a prompt of token ids', [15, 22, 8], [' x x x']],
    ['prompts of token ids', [[15, 22], [8]], [' x x', ' x']],
  ])('%s', (_, value, found) => {
    expect([...texts(value)]).toEqual(found)
  })

  test('the names in a schema are input too', () => {
    const tools = [{ function: { name: 'weather', parameters: { properties: { city: { description: 'Where' } } } } }]
    expect([...texts(tools)]).toEqual(expect.arrayContaining(['weather', 'city', 'Where']))
  })

  test('a value that holds itself ends', () => {
    const loop: Record<string, unknown> = { text: 'Hi' }
    loop['again'] = loop
    expect([...texts(loop)].filter((text) => text === 'Hi').length).toBeLessThan(100)
  })

  test('a prompt of token ids is at least as many tokens', () => {
    expect(mostTokens(texts(Array.from({ length: 5000 }, (_, i) => i)))).toBeGreaterThanOrEqual(5000)
  })
})
