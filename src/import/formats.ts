// Every log that can be read. Adding one is a file and a line here.

import { anthropic } from './anthropic.ts'
import { bedrock } from './bedrock.ts'
import type { LogFormat } from './format.ts'
import { jsonl } from './jsonl.ts'
import { litellm } from './litellm.ts'
import { openai } from './openai.ts'

export const LOG_FORMATS: readonly LogFormat[] = [jsonl, litellm, openai, anthropic, bedrock]
