// An alert of dead letters: events that a sink refused for good, and that wait for a person.

import type { AlertRule } from './alert.ts'

/** `count` of one folder, which `place` names for a person. */
export function deadLetterRule(count: () => Promise<number>, place: string): AlertRule {
  const key = `dead-letters:${place}`
  return {
    kind: 'dead-letters',
    // Each machine has its own.
    owns: (other) => other === key,
    async check() {
      const letters = await count()
      if (letters === 0) return []
      return [
        {
          key,
          kind: 'dead-letters',
          severity: 'critical',
          message: `${letters === 1 ? 'One event was' : `${letters} events were`} refused for good, and ${letters === 1 ? 'waits' : 'wait'} in ${place}: \`tallygate dead-letters\` says why.`,
          details: { place, count: letters },
        },
      ]
    },
  }
}
