// What people, and other tools' logs, call providers that have another name on our events and in the price book.

/** Names of the same provider, beside the one that its events have. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'amazon-bedrock': 'aws',
  amazon_bedrock: 'aws',
  'aws-bedrock': 'aws',
  bedrock: 'aws',
  bedrock_converse: 'aws',
  azure_ai: 'azure',
  'azure-openai': 'azure',
  azure_openai: 'azure',
  claude: 'anthropic',
  'fireworks-ai': 'fireworks',
  fireworks_ai: 'fireworks',
  gemini: 'google',
  'google-genai': 'google',
  'google-vertex': 'google',
  vertex: 'google',
  'vertex-ai': 'google',
  vertex_ai: 'google',
  vertexai: 'google',
  grok: 'x-ai',
  mistralai: 'mistral',
  moonshot: 'moonshotai',
  'together-ai': 'together',
  together_ai: 'together',
  togetherai: 'together',
  xai: 'x-ai',
  'z-ai': 'zai',
}

/** Names that are in lower case on events, however they were written. A provider of the application's own may be called as it likes. */
const OWN_NAMES = new Set([
  ...Object.values(OTHER_NAMES),
  ...['anthropic', 'cerebras', 'cloudflare', 'cohere', 'deepseek', 'github', 'groq', 'huggingface', 'minimax'],
  ...['ollama', 'openai', 'openrouter', 'perplexity', 'vercel', 'voyageai'],
])

/** The name that a provider has on events: `x-ai` of `xAI`, `openai` of `OpenAI`. One that nobody knows stays as it is. */
export function providerNamed(name: string): string {
  const plain = name.trim()
  const lower = plain.toLowerCase()
  if (Object.hasOwn(OTHER_NAMES, lower)) return OTHER_NAMES[lower]!
  return OWN_NAMES.has(lower) ? lower : plain
}
