// Whether the model that answered is the one that was asked for: an alias and its dated snapshot are one model.

import type { LLMEvent } from '../event.ts'

/** `-2024-08-06`, `-20250929`, `@20250929`, `-latest`, `-001`, `-v1:0`, `-preview-09-2025`. */
const SNAPSHOT = /(?:[-@](?:20\d\d-?[01]\d-?[0-3]\d|latest|default|preview|\d{2}-20\d\d|0\d\d|v\d+(?::\d+)?))+$/

export function isAnotherModel({ model, modelRequested }: Pick<LLMEvent, 'model' | 'modelRequested'>): boolean {
  if (modelRequested === undefined) return false
  const [served, asked] = [plain(model), plain(modelRequested)]
  // A router picks one: that is what was asked for. A deployment has the name that its owner gave it.
  if (asked === '' || /(?:^|[-/])(?:auto|router|default)$/.test(asked)) return false
  if (served === asked || served.endsWith(`.${asked}`) || asked.endsWith(`.${served}`)) return false
  // Only where both are names of models that say their family: `prod-chat` is a deployment of anything.
  return FAMILY.test(served) && FAMILY.test(asked)
}

const FAMILY = /^(?:[a-z0-9-]+\.)*(?:gpt|o[1-9]|chatgpt|claude|gemini|grok|deepseek|mistral|llama|qwen|command)/

function plain(id: string): string {
  const name = id
    .toLowerCase()
    .replace(/^ft:/, '')
    .replace(/:.*$/, (rest) => (rest.startsWith(':ft') ? '' : rest))
  return name.slice(name.lastIndexOf('/') + 1).replace(SNAPSHOT, '')
}
