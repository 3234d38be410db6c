// `tallygate demo`: real SDKs against a pretended provider, metered, limited, priced, and compared with its bill.

import { DIR, defineCommand } from './command.ts'

export const demo = defineCommand({
  name: 'demo',
  summary: 'Real SDKs and a pretended provider: a few seconds, no key.',
  about: [
    'Starts a stand-in for the providers on loopback, lets the openai, @anthropic-ai/sdk and @google/genai that are installed here talk to it for three tenants, and compares the ledger with its bill. It sends nothing to anybody else and reads no key.',
  ],
  options: {
    dir: {
      ...DIR,
      help: `Its ledger goes into the folder \`demo\` of this one. Default: $TALLYGATE_DIR, else ./.tallygate`,
    },
  },
  examples: ['npx tallygate demo'],
  async run({ dir }, setting) {
    // The other commands have no use for a meter.
    const { showDemo } = await import('./demo-show.ts')
    return showDemo(dir, setting)
  },
})
