// The door: a key in return for a cookie.

import { useState } from 'preact/hooks'
import { Refused, type Session, send } from './api.ts'
import { Notice } from './parts.tsx'

export function SignIn({ opened, fault: first }: { opened: (session: Session) => void; fault?: string | undefined }) {
  const [key, setKey] = useState('')
  const [fault, setFault] = useState(first)

  async function submit(event: Event): Promise<void> {
    event.preventDefault()
    try {
      opened(await send<Session>('POST', 'v1/session', { key: key.trim() }))
    } catch (error) {
      setFault(error instanceof Refused ? error.message : 'The server did not take it.')
    }
  }

  return (
    <main class="door">
      <h1>tallygate</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          Key
          <input
            type="password"
            required
            autocomplete="current-password"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button type="submit">Open</button>
      </form>
      {fault !== undefined && <Notice isError>{fault}</Notice>}
      <p class="none">
        A key with the role <code>read</code> or <code>admin</code> of the server that this page came from.
      </p>
    </main>
  )
}
