// What is looked at of a request's body, in each of the forms that SDKs hand over, and how an answer is to be read.

import { describe, expect, test } from 'vitest'
import { formOf, parsed, requestFields } from '../../src/call/body.ts'
import type { Route } from '../../src/providers/provider.ts'

const route: Route = {
  endpoint: 'chat.completions',
  path: /chat$/,
  request: () => ({ model: 'gpt-4o', stream: false }),
  fields: [],
  read: () => ({}),
  generated: () => [],
  prompt: () => [],
}

describe('the fields of a request', () => {
  const form = new FormData()
  form.append('model', 'whisper-1')
  form.append('file', new Blob(['sound']), 'sound.mp3')
  form.append('timestamps[]', 'word')

  /** As the packages that stand in for it, which are no instance of Node's. */
  const otherForm = {
    append: () => undefined,
    getAll: () => [],
    [Symbol.iterator]: () => [['model', 'whisper-1'] as const, ['file', { size: 5 }] as const].values(),
  }

  test.each<[string, unknown, readonly string[] | undefined, object]>([
    ['an object', { model: 'a', messages: [] }, undefined, { model: 'a', messages: [] }],
    ['JSON text', '{"model":"a","n":2}', undefined, { model: 'a', n: 2 }],
    ['JSON text of which one field is asked for', '{"model":"a","n":2}', ['n'], { n: 2 }],
    ['a form', form, undefined, { model: 'whisper-1', 'timestamps[]': 'word' }],
    ['a form of another make', otherForm, undefined, { model: 'whisper-1' }],
    ['text that is no JSON', 'model=a', undefined, {}],
    ['text that is a list', '[1]', undefined, {}],
    ['a list', [1], undefined, {}],
    ['nothing', undefined, undefined, {}],
    ['null', null, undefined, {}],
    ['a number', 5, undefined, {}],
  ])('of %s', (_, body, names, fields) => {
    expect(requestFields(body, names)).toEqual(fields)
  })

  test('text that is no object is none', () => {
    expect([parsed('{"a":1}'), parsed('[1]'), parsed('null'), parsed('{'), parsed('')]).toEqual([
      { a: 1 },
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('the form of an answer', () => {
  const lines: Route = { ...route, readLine: () => undefined }
  const unseen: Route = { ...route, readUnseen: () => ({}) }
  const both: Route = { ...lines, readStream: () => ({ take: (it) => it, reading: () => ({}), generated: () => [] }) }

  test.each<[string, Route, boolean, string | undefined, string]>([
    ['JSON', route, false, 'application/json; charset=utf-8', 'json'],
    ['without a type', route, false, undefined, 'json'],
    ['of a type that nobody expects', route, false, 'text/html', 'json'],
    ['events that were asked for', route, true, 'application/json', 'events'],
    ['events', route, false, 'text/event-stream; charset=utf-8', 'events'],
    ['sound', unseen, false, 'audio/mpeg', 'bytes'],
    ['JSON where sound may come', unseen, false, 'application/json', 'json'],
    ['events where sound may come', unseen, false, 'text/event-stream', 'events'],
    ['a file of results', lines, false, 'application/octet-stream', 'lines'],
    ['a file of results that says it is JSON', lines, false, 'application/json', 'lines'],
    ['a file of results as Anthropic asks for it', lines, true, 'application/x-jsonl', 'lines'],
    ['lines, where events may come too', both, false, 'application/jsonl', 'lines'],
    ['events, where lines may come too', both, true, 'text/event-stream', 'events'],
  ])('%s', (_, of, isStream, type, form) => {
    expect(formOf(of, isStream, type)).toBe(form)
  })
})
