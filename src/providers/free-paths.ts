// What may be POSTed to a known host without a bill, or is billed where it is metered anyway: data, by wire or provider.
//
// Read from the resources of openai 7.57, @anthropic-ai/sdk 1.12, @google/genai 2.32, @mistralai/mistralai and cohere-ai.
// What is billed and told nowhere stands in none of these: containers of OpenAI, its calls over WebRTC, tuning, batch jobs
// of Mistral and Cohere, guardrails of Bedrock, other makers' models there.

const OPENAI = [
  /\/(?:files|uploads|moderations|conversations|vector_stores|assistants|evals|skills|vaults|organization|webhook_endpoints|content_provenance_checks)(?:\/|$)/,
  /\/projects\/[^/]+\/(?:groups|roles|users)(?:\/|$)/,
  /\/agents(?:\/[^/]+)?$/,
  /\/agents\/environments(?:\/.*)?$/,
  /\/agents\/automations\/[^/]+(?:\/(?:pause|resume))?$/,
  /\/agents\/sessions\/[^/]+(?:\/events)?$/,
  /\/audio\/(?:voices|voice_consents)(?:\/[^/]+)?$/,
  /\/chat\/completions\/[^/]+$/,
  /\/chatkit\/sessions\/[^/]+\/cancel$/,
  /\/containers\/[^/]+\/files$/,
  /\/fine_tuning\/(?:alpha\/graders\/validate|jobs\/[^/]+\/(?:pause|resume|cancel)|checkpoints\/.*)$/,
  /\/live\/sessions(?:\/.*)?$/,
  /\/realtime\/(?:(?:translations\/)?client_secrets|sessions|transcription_sessions|calls\/[^/]+\/[^/]+)$/,
  /\/responses\/input_tokens$/,
  /\/threads(?:\/[^/]+)?$/,
  /\/threads\/[^/]+\/(?:messages(?:\/[^/]+)?|runs\/[^/]+)$/,
]

const ANTHROPIC = [
  /\/messages\/(?:count_tokens|batches\/[^/]+\/cancel)$/,
  /\/(?:files|skills|vaults|memory_stores|environments|organizations|tunnels|user_profiles)(?:\/|$)/,
  /\/agents(?:\/[^/]+(?:\/archive)?)?$/,
  /\/deployments(?:\/[^/]+(?:\/(?:archive|pause|unpause))?)?$/,
  /\/dreams\/[^/]+\/(?:archive|cancel)$/,
  /\/sessions\/[^/]+(?:\/(?:archive|events|resources.*|threads\/[^/]+\/archive))?$/,
]

const GOOGLE = [
  /:(?:cancel|computeTokens|countTokens)$/,
  /\/(?:files|auth_tokens|fileSearchStores)(?:[/:][^/]+)?$/,
  /\/upload\/[^/]+\/files$/,
  /\/batches\/[^/]+$/,
  // Whatever else Vertex AI serves beside the models of publishers: an application's own endpoints, data sets, pipelines.
  /^\/v1(?:beta1)?\/projects\/(?!.*(?:\/publishers\/|\/tuningJobs|\/endpoints\/openapi))/,
  /\/publishers\/[^/]+\/models\/count-tokens:rawPredict$/,
]

const FREE: Readonly<Record<string, readonly RegExp[]>> = {
  openai: OPENAI,
  anthropic: ANTHROPIC,
  google: [...GOOGLE, ...OPENAI],
  mistral: [
    /\/(?:files|libraries|connectors|observability|rag|service-accounts|users|client|workflows)(?:\/|$)/,
    /\/agents(?:\/(?!completions$)[^/]+(?:\/.*)?)?$/,
    /\/audio\/voices(?:\/.*)?$/,
    /\/(?:batch|fine_tuning)\/jobs\/[^/]+\/(?:cancel|start)$/,
    /\/fine_tuning\/models\//,
  ],
  cohere: [
    /\/(?:tokenize|detokenize|check-api-key)$/,
    /\/(?:models|datasets|connectors)(?:\/|$)/,
    /\/(?:embed-jobs|batches)\/[^/]+[/:]cancel$/,
  ],
  aws: [/\/model\/[^/]+\/count-tokens$/, ...OPENAI, ...ANTHROPIC],
  // These hosts serve Azure's other services as well.
  azure: [/^\/(?!openai\/|models\/|anthropic\/|providers\/)/, ...OPENAI, ...ANTHROPIC],
  openrouter: [/\/(?:auth|keys|credits|guardrails)(?:\/|$)/, ...OPENAI, ...ANTHROPIC],
  ollama: [/\/api\/(?:show|pull|push|create|copy|delete|blobs\/[^/]+)$/, ...OPENAI, ...ANTHROPIC],
}

const COMPATIBLE = [...OPENAI, ...ANTHROPIC]

/** Whether nothing is lost when such a request goes unmetered. */
export function isFreePath(provider: string, path: string): boolean {
  const free = Object.hasOwn(FREE, provider) ? FREE[provider]! : COMPATIBLE
  return free.some((pattern) => pattern.test(path))
}

/** `/v1/threads/*` of `/v1/threads/thread_abc123`: the path without what is one customer's own. */
export function kindOfPath(path: string): string {
  return path.split('/').map(kindOfSegment).join('/')
}

const WORD = /^(?:v\d+(?:(?:alpha|beta)\d*)?|[a-z][a-z_.-]{0,30})$/i

function kindOfSegment(segment: string): string {
  const [name = '', ...methods] = segment.split(':')
  const shown = name === '' || WORD.test(name) ? name : '*'
  return [shown, ...methods.map((method) => (WORD.test(method) ? method : '*'))].join(':')
}
