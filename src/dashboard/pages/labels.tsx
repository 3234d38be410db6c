// Features, users and every other label that calls are counted under, tags included.

import { useState } from 'preact/hooks'
import { Title } from '../parts.tsx'
import { linkWith } from '../route.ts'
import { SpendChart } from '../spend-chart.tsx'
import { SpendTable } from '../spend-table.tsx'
import { usePlace } from '../state.tsx'

const LABELS: Readonly<Record<string, string>> = {
  feature: 'Feature',
  user: 'User',
  session: 'Session',
  team: 'Team',
  project: 'Project',
  cost_center: 'Cost centre',
  app: 'App',
  environment: 'Environment',
  provider: 'Provider',
  host: 'Host',
  endpoint: 'Endpoint',
  tier: 'Service tier',
}
const MOST_ROWS = 1000

export function Labels() {
  const { route } = usePlace()
  const [search, setSearch] = useState('')
  const asked = route.params.get('by') ?? 'feature'
  const tag = /^tag:(.+)$/.exec(asked)?.[1]
  const by = tag !== undefined || Object.hasOwn(LABELS, asked) ? asked : 'feature'
  const name = tag ?? LABELS[by]!
  return (
    <>
      <Title text="Features and users">
        <input
          type="search"
          placeholder="Find in this list"
          aria-label="Find in this list"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </Title>
      <nav class="choices" aria-label="Group by">
        {Object.entries(LABELS).map(([each, text]) => (
          <a key={each} href={linkWith(route, { by: each })} aria-current={each === by ? 'true' : undefined}>
            {text}
          </a>
        ))}
        <TagForm tag={tag} />
      </nav>
      <SpendChart key={`chart ${by}`} by={by} title={`Spend by ${name.toLowerCase()}`} />
      <SpendTable key={by} by={by} name={name} limit={MOST_ROWS} search={search} extra="rates" />
    </>
  )
}

function TagForm({ tag }: { tag: string | undefined }) {
  const { route } = usePlace()
  const [name, setName] = useState(tag ?? '')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (name.trim() !== '') location.hash = linkWith(route, { by: `tag:${name.trim()}` })
      }}
    >
      <input
        placeholder="Tag …"
        aria-label="The name of a tag to group by"
        size={10}
        maxLength={200}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
    </form>
  )
}
