// Which host is which provider, and which path is billed.

import { describe, expect, test } from 'vitest'
import { createRouting } from '../../src/providers/index.ts'

const find = createRouting({
  'llm.example.com': 'openai',
  '127.0.0.1:4010': 'anthropic',
  'models.example.com': 'deepseek',
})

describe('hosts', () => {
  test.each([
    ['openai', 'api.openai.com', 'openai'],
    ['openai', 'eu.api.openai.com', 'openai'],
    ['openai', 'api.openai.com.example.com', 'api.openai.com.example.com'],
    ['openai', 'notapi.openai.com', 'notapi.openai.com'],
    ['openai', 'api.mistral.ai', 'mistral'],
    ['openai', 'codestral.mistral.ai', 'mistral'],
    ['openai', 'mistral.ai', 'mistral.ai'],
    ['openai', 'api.deepseek.com', 'deepseek'],
    ['openai', 'api.deepseek.com.evil.example', 'api.deepseek.com.evil.example'],
    ['openai', 'openrouter.ai', 'openrouter'],
    ['openai', 'eu.openrouter.ai', 'openrouter'],
    ['openai', 'notopenrouter.ai', 'notopenrouter.ai'],
    ['openai', 'contoso.openai.azure.com', 'azure'],
    ['openai', 'contoso.openai.azure.us', 'azure'],
    ['openai', 'contoso.services.ai.azure.com', 'azure'],
    ['openai', 'contoso.cognitiveservices.azure.com', 'azure'],
    ['openai', 'phi.eastus2.models.ai.azure.com', 'azure'],
    ['openai', 'azure.com', 'azure.com'],
    ['openai', 'api.groq.com', 'groq'],
    ['openai', 'api.x.ai', 'x-ai'],
    ['openai', 'us-east-1.api.x.ai', 'x-ai'],
    ['openai', 'bedrock-mantle.us-east-1.api.aws', 'aws'],
    ['openai', 'bedrock-runtime.eu-west-1.amazonaws.com', 'aws'],
    ['openai', 'bedrock-runtime-fips.us-east-1.amazonaws.com', 'aws'],
    ['openai', 's3.amazonaws.com', 's3.amazonaws.com'],
    ['openai', 'api.together.xyz', 'together'],
    ['openai', 'api.together.ai', 'together'],
    ['openai', 'api.fireworks.ai', 'fireworks'],
    ['openai', 'api.cerebras.ai', 'cerebras'],
    ['openai', 'api.perplexity.ai', 'perplexity'],
    ['openai', 'localhost:11434', 'ollama'],
    ['openai', '127.0.0.1:11434', 'ollama'],
    ['openai', 'localhost:8000', 'localhost:8000'],
    ['openai', 'llm.example.com', 'openai'],
    ['openai', 'llm.example.com:8443', 'openai'],
    ['openai', 'models.example.com', 'deepseek'],
    ['openai', '127.0.0.1:4010', 'anthropic'],
    ['openai', '127.0.0.1:4011', '127.0.0.1:4011'],
    ['openai', 'generativelanguage.googleapis.com', 'google'],
    ['openai', 'constructor', 'constructor'],
    ['openai', '__proto__', '__proto__'],
  ] as const)('%s dials %s: %s', (sdk, host, provider) => {
    expect(find(sdk, 'post', host, '/chat/completions')).toMatchObject({
      provider,
      route: { endpoint: 'chat.completions' },
    })
  })

  test.each([
    ['anthropic', 'api.anthropic.com', '/v1/messages', 'anthropic'],
    ['google', 'generativelanguage.googleapis.com', 'models/gemini-3-pro:generateContent', 'google'],
    ['google', 'us-central1-aiplatform.googleapis.com', 'publishers/google/models/g:streamGenerateContent', 'google'],
    ['google', 'aiplatform.googleapis.com', 'publishers/google/models/g:generateContent', 'google'],
    ['google', 'aiplatform.us.rep.googleapis.com', 'publishers/google/models/g:generateContent', 'google'],
  ] as const)('%s dials %s for %s: %s', (sdk, host, path, provider) => {
    expect(find(sdk, 'post', host, path)?.provider).toBe(provider)
  })
})

describe('paths', () => {
  test.each([
    ['openai', '/chat/completions', 'chat.completions'],
    ['openai', '/v1/chat/completions', 'chat.completions'],
    ['openai', '/openai/deployments/gpt/chat/completions', 'chat.completions'],
    ['openai', '/completions', 'completions'],
    ['openai', '/responses', 'responses'],
    ['openai', '/embeddings', 'embeddings'],
    ['openai', '/responses/input_tokens', undefined],
    ['openai', '/models', undefined],
    ['openai', '/files', undefined],
    ['openai', '/xresponses', undefined],
    ['anthropic', '/v1/messages', 'messages'],
    ['anthropic', '/v1/messages/count_tokens', undefined],
    ['google', 'models/gemini-3-pro:generateContent', 'generateContent'],
    ['google', 'models/gemini-3-pro:streamGenerateContent', 'generateContent'],
    ['google', 'models/gemini-embedding-001:batchEmbedContents', 'embedContent'],
    ['google', 'models/gemini-embedding-001:embedContent', 'embedContent'],
    ['google', 'models/gemini-3-pro:countTokens', undefined],
  ] as const)('%s %s is %s', (sdk, path, endpoint) => {
    expect(find(sdk, 'post', 'any.example.com', path)?.route.endpoint).toBe(endpoint)
    // What a GET tells of was billed before.
    expect(find(sdk, 'get', 'any.example.com', path)?.route.isFollowUp ?? true).toBe(true)
  })

  test('a thousand models make no growing list, and the answer stays the same', () => {
    for (let i = 0; i < 3000; i++)
      expect(find('google', 'post', 'any.example.com', `models/m${i}:generateContent`)?.provider).toBe(
        'any.example.com',
      )
  })
})

test.each([
  ['models/gemini-3-pro:generateContent', 'gemini-3-pro'],
  ['publishers/google/models/gemini-3-pro:generateContent', 'gemini-3-pro'],
  ['tunedModels/mine-123:generateContent', 'mine-123'],
  [':generateContent', 'unknown'],
])('the model of %s is %s', (path, model) => {
  expect(find('google', 'post', 'any.example.com', path)?.route.request({}, path, false).model).toBe(model)
})
