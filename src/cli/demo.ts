// placeholder
import { defineCommand } from './command.ts'
export const demo = defineCommand({
  name: 'demo',
  summary: 'x.',
  about: [],
  options: {},
  examples: [],
  run: async () => undefined,
})
