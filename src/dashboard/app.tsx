// The frame around every page: who is here, where they are, which range they look at.

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import { Refused, type Session, send } from './api.ts'
import { Bills } from './pages/bills.tsx'
import { Event } from './pages/event.tsx'
import { Events } from './pages/events.tsx'
import { Health } from './pages/health.tsx'
import { Labels } from './pages/labels.tsx'
import { Limits } from './pages/limits.tsx'
import { Models } from './pages/models.tsx'
import { Overview } from './pages/overview.tsx'
import { Tenant } from './pages/tenant.tsx'
import { Tenants } from './pages/tenants.tsx'
import { Notice, Title } from './parts.tsx'
import { RangePicker } from './range-picker.tsx'
import { linkTo, type Route, rangeOf, readRoute } from './route.ts'
import { SignIn } from './sign-in.tsx'
import { PlaceContext } from './state.tsx'

const PAGES = {
  '': 'Overview',
  tenants: 'Tenants',
  models: 'Models',
  labels: 'Features and users',
  events: 'Events',
  limits: 'Limits',
  bills: 'Bills',
  health: 'Health',
} as const

/** Not for whoever sees one project. */
const OF_ALL_PROJECTS = ['bills', 'health']

const LIVE_MS = 15_000

type Door = { readonly session: Session } | { readonly fault?: string | undefined } | undefined

export function App() {
  const hash = useHash()
  const [door, setDoor] = useState<Door>(undefined)

  useEffect(() => {
    void enter().then(setDoor)
  }, [])

  if (door === undefined) return <p class="notice waiting">Loading…</p>
  if (!('session' in door)) return <SignIn opened={(session) => setDoor({ session })} fault={door.fault} />
  return <Frame hash={hash} session={door.session} leave={(fault) => setDoor({ fault })} />
}

const TOKEN = /^#token=([\w-]+)$/
/** What the terminal printed. It is taken out of the address at once, and with it out of the history. */
const token = TOKEN.exec(location.hash)?.[1]
if (token !== undefined) history.replaceState(null, '', `${location.pathname}#/`)

/** By the cookie, or by the token. */
async function enter(): Promise<Door> {
  try {
    return { session: await send<Session>('GET', 'v1/session') }
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 401) return { fault: (error as Error).message }
  }
  if (token === undefined) return {}
  try {
    return { session: await send<Session>('POST', 'v1/session', { key: token }) }
  } catch (error) {
    const isUsed = error instanceof Refused && error.status === 401
    return {
      fault: isUsed
        ? 'This address opens one time only: start `npx tallygate dashboard` again for another.'
        : (error as Error).message,
    }
  }
}

function Frame({ hash, session, leave }: { hash: string; session: Session; leave: (fault?: string) => void }) {
  const route = useMemo(() => readRoute(hash), [hash])
  const { now, turn, reload } = useTurns()
  const range = rangeOf(route, now)
  const signedOut = useCallback(() => leave('The session is over: open it again with a key.'), [leave])
  const isBound = session.project !== null
  const pages = Object.entries(PAGES).filter(([page]) => !(isBound && OF_ALL_PROJECTS.includes(page)))

  async function signOut(): Promise<void> {
    await send('DELETE', 'v1/session').catch(() => undefined)
    leave()
  }

  return (
    <PlaceContext.Provider value={{ route, range, session, now, turn, reload, signedOut }}>
      {/* biome-ignore lint/a11y/useValidAnchor: it goes to the content, past the links */}
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header>
        <a class="brand" href={linkTo(route, '')}>
          tallygate
        </a>
        <nav class="pages" aria-label="Pages">
          {pages.map(([page, text]) => (
            <a key={page} href={linkTo(route, page)} aria-current={page === route.page ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
        <button type="button" class="quiet out" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main id="main" tabIndex={-1}>
        <RangePicker />
        <Page key={`${route.page}/${route.of ?? ''}`} route={route} />
      </main>
    </PlaceContext.Provider>
  )
}

function skip(event: MouseEvent): void {
  // By hand: the part of the address behind # says which page it is.
  event.preventDefault()
  document.getElementById('main')?.focus()
}

function Page({ route }: { route: Route }) {
  const { page, of } = route
  if (page === 'tenants') return of === undefined ? <Tenants /> : <Tenant id={of} />
  if (page === 'events') return of === undefined ? <Events /> : <Event id={of} />
  if (page === 'models') return <Models />
  if (page === 'labels') return <Labels />
  if (page === 'limits') return <Limits />
  if (page === 'bills') return <Bills />
  if (page === 'health') return <Health />
  if (page === '') return <Overview />
  return (
    <>
      <Title text="Nothing here" />
      <Notice>
        There is no such page. <a href={linkTo(route, '')}>To the overview</a>
      </Notice>
    </>
  )
}

function useHash(): string {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const follow = () => {
      // Another address from the terminal, in a tab that is open already.
      if (TOKEN.test(location.hash)) location.reload()
      else setHash(location.hash)
    }
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return hash
}

/** Asks everything again from time to time, as long as somebody may be looking. */
function useTurns() {
  const [state, setState] = useState(() => ({ now: Date.now(), turn: 0 }))
  const reload = useCallback(() => setState(({ turn }) => ({ now: Date.now(), turn: turn + 1 })), [])
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') reload()
    }, LIVE_MS)
    return () => clearInterval(timer)
  }, [reload])
  return { ...state, reload }
}
