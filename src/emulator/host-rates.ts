// The emulator's prices of hosts that speak OpenAI's wire, written down by hand from their pages: a model or two each.

/** USD for a million tokens. */
export interface HostRates {
  readonly input: string
  readonly output: string
  readonly cacheRead?: string
  readonly cacheWrite?: string
}

export const HOST_RATES: Readonly<Record<string, Readonly<Record<string, HostRates>>>> = {
  // https://openrouter.ai/models
  openrouter: {
    'openai/gpt-4o': { input: '2.5', output: '10', cacheRead: '1.25' },
    'anthropic/claude-sonnet-4.5': { input: '3', output: '15', cacheRead: '0.3', cacheWrite: '3.75' },
  },
  // https://groq.com/pricing
  groq: {
    'llama-3.3-70b-versatile': { input: '0.59', output: '0.79' },
    'openai/gpt-oss-120b': { input: '0.15', output: '0.6', cacheRead: '0.075' },
  },
  // https://mistral.ai/pricing
  mistral: {
    'mistral-large-latest': { input: '0.5', output: '1.5' },
    'codestral-latest': { input: '0.3', output: '0.9' },
  },
  // https://docs.x.ai/docs/models
  'x-ai': { 'grok-4.6': { input: '2', output: '6', cacheRead: '0.5' } },
  // https://azure.microsoft.com/pricing/details/cognitive-services/openai-service
  azure: { 'gpt-4o': { input: '2.5', output: '10', cacheRead: '1.25' } },
  // https://ai.google.dev/gemini-api/docs/pricing
  'google-openai': { 'gemini-2.5-flash': { input: '0.3', output: '2.5', cacheRead: '0.03' } },
  // https://aws.amazon.com/bedrock/pricing
  aws: { 'openai.gpt-oss-120b-1:0': { input: '0.15', output: '0.6' } },
  // https://www.together.ai/pricing
  together: { 'meta-llama/Llama-3.3-70B-Instruct-Turbo': { input: '0.88', output: '0.88' } },
  // https://inference-docs.cerebras.ai
  cerebras: { 'llama-3.3-70b': { input: '0.85', output: '1.2' } },
}
