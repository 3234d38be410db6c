// The small pieces that pages are made of: headings, rows of figures, notices, bars.

import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { exactMoney, formatMoney } from '../figures.ts'
import { formatShare, picoOf } from './figures.ts'
import type { Loaded } from './state.tsx'

/** The heading of a page takes the focus when the page is turned to, so that a screen reader begins there. */
export function Title({ text, children }: { text: string; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  // Before it is painted: a key pressed as soon as it is seen has moved the focus on.
  useLayoutEffect(() => {
    document.title = `${text} · tallygate`
    if (document.activeElement !== null && document.activeElement !== document.body) heading.current?.focus()
  }, [text])
  return (
    <div class="title">
      <h1 ref={heading} tabIndex={-1}>
        {text}
      </h1>
      {children}
    </div>
  )
}

export function Section({
  title,
  aside,
  children,
}: {
  title: string
  aside?: ComponentChildren
  children: ComponentChildren
}) {
  return (
    <section>
      <div class="section-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}

export function Figures({ children }: { children: ComponentChildren }) {
  return <dl class="figures">{children}</dl>
}

export function Figure({
  name,
  value,
  title,
  note,
}: {
  name: string
  value: string
  title?: string | undefined
  note?: ComponentChildren
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={title}>{value}</dd>
      {note !== undefined && <dd class="note">{note}</dd>}
    </div>
  )
}

/** One sum alone, with every digit for whoever points at it. */
export function MoneyFigure({ name, usd, note }: { name: string; usd: string; note?: ComponentChildren }) {
  const pico = picoOf(usd)
  return <Figure name={name} value={formatMoney(pico)} title={exactMoney(pico)} note={note} />
}

export function Notice({ children, isError = false }: { children: ComponentChildren; isError?: boolean }) {
  return (
    <p class={isError ? 'notice error' : 'notice'} role={isError ? 'alert' : undefined}>
      {children}
    </p>
  )
}

/** What is there to show of an answer: itself, that it is on its way, or why it is not. */
export function Await<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  const { data, error } = of
  return (
    <>
      {error && <Notice isError>{error.message}</Notice>}
      {data === undefined && !error && <p class="notice waiting">Loading…</p>}
      {data !== undefined && children(data)}
    </>
  )
}

/** How much of a limit is spent. */
export function Meter({ spent, limit }: { spent: bigint; limit: bigint }) {
  const share = limit === 0n ? 1 : Math.min(1, Number((spent * 1000n) / limit) / 1000)
  const level = share >= 1 ? 'full' : share >= 0.8 ? 'high' : ''
  const words = limit === 0n ? '100 %' : formatShare(Number(spent / 1_000_000n), Number(limit / 1_000_000n))
  return (
    <span class="meter-line">
      <span class={`meter ${level}`} aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </span>
      {words}
    </span>
  )
}

/** A name that a tenant may have chosen: as long as it likes, on one line. */
export function Name({ text, none = '(none)' }: { text: string | number | null | undefined; none?: string }) {
  if (text === null || text === undefined || text === '') return <span class="none">{none}</span>
  return <bdi title={String(text)}>{String(text)}</bdi>
}
