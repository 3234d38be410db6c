// An application that ends right after its first calls, in the way that it is told to. Run by test/journey/first-calls.test.ts.

import { createRequire } from 'node:module'
import OpenAI from 'openai'

const [format = '', calls = '', end = '', count = '0'] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const { Meter }: typeof import('tallygate') = format === 'require' ? require('tallygate') : await import('tallygate')

const isRead = () => Object.keys(require.cache).some((file) => file.endsWith('whole-book.cjs'))
const meter = new Meter({ onMissingTenant: 'record', onProblem: ({ message }) => process.stderr.write(`${message}\n`) })
meter.patch('openai', { modules: [OpenAI] })
if (isRead()) throw new Error('The price book was read before the first call.')

if (calls === 'by hand')
  for (let at = 0; at < Number(count); at++)
    meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1000, responseId: `e${at}` })
else {
  const openai = new OpenAI({
    apiKey: 'key',
    baseURL: 'https://api.openai.com/v1',
    fetch: async () =>
      Response.json({
        id: 'e0',
        object: 'chat.completion',
        model: 'gpt-4o',
        choices: [],
        usage: { prompt_tokens: 1000, completion_tokens: 0, total_tokens: 1000 },
      }),
  })
  await openai.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] })
}

if (end === 'exit') process.exit(0)
process.kill(process.pid, end)
