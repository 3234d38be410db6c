// What every page knows: where the reader is, who they are, and how questions to the server are under way.

import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { ask, Refused, type Session } from './api.ts'
import type { Range, Route } from './route.ts'

export interface Place {
  readonly route: Route
  readonly range: Range
  readonly session: Session
  readonly now: number
  /** Counts up when everything shall be asked again. */
  readonly turn: number
  readonly reload: () => void
  readonly signedOut: () => void
}

export const PlaceContext = createContext<Place | undefined>(undefined)

export function usePlace(): Place {
  const place = useContext(PlaceContext)
  if (place === undefined) throw new Error('There is no place outside of the app.')
  return place
}

export interface Loaded<T> {
  readonly data: T | undefined
  readonly error: Refused | undefined
  readonly isLoading: boolean
}

/** The answer at an address; what was there before stays until the next one is, as long as it is of the same address. */
export function useLoad<T>(address: string): Loaded<T> {
  const { turn, signedOut } = usePlace()
  const [state, setState] = useState<Loaded<T> & { readonly address: string }>({
    data: undefined,
    error: undefined,
    isLoading: true,
    address,
  })

  // Another `turn` asks again.
  useEffect(() => {
    const asking = new AbortController()
    setState((before) =>
      before.address === address
        ? { ...before, isLoading: true }
        : { data: undefined, error: undefined, isLoading: true, address },
    )
    ask<T>(address, asking.signal).then(
      (data) => {
        if (!asking.signal.aborted) setState({ data, error: undefined, isLoading: false, address })
      },
      (cause: unknown) => {
        if (asking.signal.aborted) return
        const error = cause instanceof Refused ? cause : new Refused(0, 'The answer of the server cannot be read.')
        if (error.status === 401) signedOut()
        else setState((before) => ({ ...before, error, isLoading: false, address }))
      },
    )
    return () => asking.abort()
  }, [address, turn])

  return state.address === address ? state : { data: undefined, error: undefined, isLoading: true }
}
