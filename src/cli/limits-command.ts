// `tallygate limits`: the limits that hold for a ledger, where they stand, and how they are set and removed.

import { join } from 'node:path'
import { LIMIT_MODES } from '../errors.ts'
import type { LimitRule } from '../limits/limit-store.ts'
import { fieldsOf } from '../limits/scope.ts'
import { LIMIT_WINDOWS } from '../limits/window.ts'
import { nearest } from '../options/nearest.ts'
import { DIR, defineCommand, Stop, type Values } from './command.ts'
import { DATABASE_URL, databaseUrlOf, openToAsk } from './ledgers.ts'
import { type Around, changeLimit, tellJson, withStore } from './limit-change.ts'
import { listRefused } from './limit-refusals.ts'
import { rulesOf, standingsOf } from './limit-standings.ts'
import { openLimits } from './limit-stores.ts'
import { printStandings, standingRecord } from './limit-table.ts'
import { keyIn, ruleIn, targetOf } from './limit-target.ts'
import { folderOf, isThere } from './place.ts'
import { printable } from './width.ts'

const ACTIONS = ['list', 'set', 'remove', 'refused'] as const
type Action = (typeof ACTIONS)[number]

const WHOSE = {
  user: { type: 'string', value: 'id', help: 'Calls of this user; with a tenant, of that tenant.' },
  feature: { type: 'string', value: 'name', help: 'Calls of this feature, likewise.' },
  model: { type: 'string', value: 'id', help: 'Calls that ask for this model, likewise.' },
  session: { type: 'string', value: 'id', help: 'Calls of this session, likewise.' },
  run: { type: 'string', value: 'id', help: 'Calls of one run of an agent, likewise.' },
  organization: { type: 'string', value: 'name', help: 'Several tenants together; to be set it needs --tenants.' },
  tenants: { type: 'string', value: 'ids', help: 'The tenants of an organization, separated by commas.' },
  everything: { type: 'boolean', help: 'Every call.' },
} as const

const SAYS = {
  usd: { type: 'string', value: 'dollars', help: 'To set: how much. 0 refuses every call that costs something.' },
  mode: { type: 'string', value: 'mode', help: `To set: one of ${LIMIT_MODES.join(', ')}. Default: expected` },
  'time-zone': { type: 'string', value: 'name', help: 'To set: whose calendar, Europe/Vienna. Default: UTC' },
  anchor: { type: 'string', value: 'number', help: 'To set: the day of the month, weekday or hour it begins with.' },
  rolling: { type: 'boolean', help: 'To set: the last hour, day, week or 30 days in place of those of the calendar.' },
  'min-output-tokens': { type: 'string', value: 'number', help: 'To set, with --mode clamp: the least output of use.' },
} as const

const OPTIONS = {
  tenant: {
    type: 'string',
    value: 'id',
    help: 'The same as the id behind `set` or `remove`; listed: limits of this tenant only.',
  },
  ...WHOSE,
  per: { type: 'string', value: 'window', help: `One of ${LIMIT_WINDOWS.join(', ')}. Default: month` },
  ...SAYS,
  since: { type: 'string', value: 'moment', help: 'Refused: from then on, as for `report`. Default: the last 7 days' },
  json: { type: 'boolean', help: 'Print JSON, with every digit.' },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

export const limits = defineCommand({
  name: 'limits',
  summary: 'List limits and whom they refused; set and remove them.',
  about: [
    'Those that hold for every application with this ledger: in limits.db beside it, or in the same PostgreSQL. One that is set or removed holds within seconds in applications that run. What is held is set aside for calls that are under way, and by processes for their next ones.',
    '`refused` lists the calls that limits have refused, as meters have told, by the hour in UTC.',
    'Each change is in the trail of changes, which the dashboard shows: changes.jsonl beside the ledger, or the table of PostgreSQL.',
  ],
  argument: { name: 'list | set | remove | refused', help: 'Left out: list. Behind it the id of a tenant.', most: 2 },
  options: OPTIONS,
  examples: [
    'tallygate limits',
    'tallygate limits set acme --usd 50',
    'tallygate limits set acme --usd 5 --per day --mode hard',
    'tallygate limits set --tenant acme --user u1 --usd 2 --per hour --rolling',
    'tallygate limits remove acme --per day',
    'tallygate limits refused acme --since 24h',
  ],
  async run(values, { terminal, env }) {
    const [action, tenant] = actionOf(values.arguments)
    if (tenant !== undefined && values.tenant !== undefined)
      throw new Stop(2, `Name the tenant once: ${JSON.stringify(tenant)} or \`--tenant\`.`)
    const asked = { ...values, ...(tenant !== undefined && { tenant }) }
    if (action === 'set') checkOnly(action, asked, [...Object.keys(SAYS), ...Object.keys(WHOSE), 'per', 'tenant'])
    else if (action === 'remove') checkOnly(action, asked, [...Object.keys(WHOSE), 'per', 'tenant'])
    else checkOnly(action, asked, action === 'refused' ? ['tenant', 'since'] : ['tenant'])
    if (action === 'refused') return listRefused(asked, { terminal, env })
    if (action === 'list') return list(asked, { terminal, env })
    const target = targetOf(asked)
    const rule = action === 'set' ? ruleIn(target, asked) : undefined
    const key = rule ?? keyIn(target, asked)
    return changeLimit(key, rule, asked, { terminal, env })
  },
})

type Asked = Values<typeof OPTIONS>
function actionOf([first = 'list', tenant]: readonly string[] = []): [Action, string | undefined] {
  const action = ACTIONS.find((name) => name === first)
  if (action !== undefined) return [action, tenant]
  const near = nearest(first, ACTIONS)
  const hint = near === undefined ? '' : `; did you mean \`${near}\`?`
  throw new Stop(2, `\`limits\` takes ${ACTIONS.join(', ')}; got ${JSON.stringify(first)}${hint || '.'}`)
}

const ALWAYS = ['json', 'dir', 'database-url', 'argument', 'arguments']

function checkOnly(action: Action, values: object, known: readonly string[]): void {
  const other = Object.keys(values).find((name) => !known.includes(name) && !ALWAYS.includes(name))
  if (other !== undefined) throw new Stop(2, `\`limits ${action}\` takes no \`--${other}\`.`)
}

async function list(values: Asked, { terminal, env }: Around): Promise<undefined> {
  const now = Date.now()
  const { ledger, views, name, shown } = await openToAsk(values, env)
  const hasStore = databaseUrlOf(values, env) !== undefined || isThere(join(folderOf(values.dir, env), 'limits.db'))
  const store = hasStore ? await openLimits(values, env) : undefined
  try {
    const stored = await ledger.limits()
    const standings = await withStore(async () => {
      const rules = (await rulesOf(store, stored)).filter((rule) => isOf(rule, values.tenant))
      return standingsOf(rules, store, views, now)
    })
    if (values.json) tellJson(terminal, { ledger: name, limits: standings.map(standingRecord) })
    else if (standings.length > 0) printStandings(standings, now, terminal)
    else
      terminal.print(
        printable(
          values.tenant === undefined ? `${shown} has no limits.` : `${shown} has no limits of ${values.tenant}.`,
        ),
      )
  } finally {
    await store?.close?.()
    await views.close()
    await ledger.close()
  }
  return undefined
}

function isOf({ scope, settings }: LimitRule, tenant: string | undefined): boolean {
  if (tenant === undefined || settings.tenants?.includes(tenant)) return true
  return fieldsOf(scope).some(([field, value]) => field === 'tenant' && value === tenant)
}
