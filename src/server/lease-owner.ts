// The limits of one project in a store that holds those of all: no key reaches those of another, whatever it names.

import type { LimitKey, LimitStore } from '../limits/limit-store.ts'

/** No field of a scope is called so. */
const PROJECT = 'project='

/**
 * The store as whoever came in by a key sees it. Scopes and leases of a project have its name before their own, in a way
 * in which no scope on the wire begins, and with a sign that no lease there has.
 */
export function ownedBy(store: LimitStore, project: string | undefined): LimitStore {
  const owner = project === undefined ? '' : `${PROJECT}${encodeURIComponent(project)}`
  const prefix = owner === '' ? '' : `${owner}&`
  const isOwn = ({ scope }: LimitKey) => (prefix === '' ? !scope.startsWith(PROJECT) : scope.startsWith(prefix))
  const put = <Key extends LimitKey>(key: Key): Key => ({ ...key, scope: prefix + key.scope })
  const strip = <Key extends LimitKey>(key: Key): Key => ({ ...key, scope: key.scope.slice(prefix.length) })
  return {
    setLimit: (rule) => store.setLimit(put(rule)),
    removeLimit: (key) => store.removeLimit(put(key)),
    async changes(since) {
      const { revision, rules, removed } = await store.changes(since)
      return { revision, rules: rules.filter(isOwn).map(strip), removed: removed.filter(isOwn).map(strip) }
    },
    accounts: (keys) => store.accounts(keys.map(put)),
    lease: (steps) =>
      store.lease(owner === '' ? steps : steps.map((step) => ({ ...put(step), leaseId: `${owner}/${step.leaseId}` }))),
  }
}
