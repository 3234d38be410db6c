// An audit for programs, as Markdown and as a page. None of it has a word of what was said in a call.

import { dollars } from '../figures.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import { type Html, heading, headline, list, page, paragraph, share, table } from './html.ts'
import type { AuditReport, Finding, Tolerances } from './labels.ts'

export interface AuditAbout {
  /** Which calls these are. */
  readonly about: string
  /** Tells a demonstration from another. */
  readonly seed?: number
}

const usd = (pico: PicoUsd | undefined) => (pico === undefined ? null : formatUsd(pico))

/** Every digit, money as strings. */
export function auditJson(report: AuditReport, { about, seed }: AuditAbout): object {
  const { outputTokens, inputPercent, bandPercent, cacheStepPercent, cacheWindowMs, videoTokens } = report.tolerances
  return {
    about,
    ...(seed !== undefined && { seed }),
    calls: report.calls,
    unpriced: report.unpriced,
    spend_usd: usd(report.spend),
    spend_by_label: Object.fromEntries(Object.entries(report.byLabel).map(([label, spend]) => [label, usd(spend)])),
    figures: report.figures.map(({ figure, label, calls, spend }) => ({ figure, label, calls, spend_usd: usd(spend) })),
    findings: report.findings.map(({ beyond, ...finding }) => ({ ...finding, beyond_usd: usd(beyond) })),
    unverifiable: report.unverifiable.map(({ figure, why, calls, spend }) => ({
      figure,
      why,
      calls,
      spend_usd: usd(spend),
    })),
    models: report.models.map((model) => ({
      provider: model.provider,
      model: model.model,
      calls: model.calls,
      spend_usd: usd(model.spend),
      tokenizer: model.tokenizer ?? null,
      is_own_tokenizer: model.isOwnTokenizer,
      input_percent: model.inputPercent ?? null,
      cache_expected_tokens: model.cacheExpected,
      cache_read_tokens: model.cacheRead,
    })),
    tolerances: {
      output_tokens: outputTokens,
      input_percent: inputPercent,
      band_percent: bandPercent,
      cache_step_percent: cacheStepPercent,
      cache_window_ms: cacheWindowMs,
      video_tokens: videoTokens,
    },
  }
}

/** What has to be said of every report. */
export const CAUTION =
  'A gap is something to look at, never a verdict: nothing here says that anybody was overbilled. Ask the provider with the ids of the calls.'

export function headlineOf({ byLabel, spend }: AuditReport): string {
  return `${share(byLabel.UNVERIFIABLE, spend)} of ${dollars(spend)} can be checked by nobody but the provider`
}

export function tolerancesInWords(given: Tolerances): string {
  const { outputTokens, inputPercent, bandPercent, cacheStepPercent, cacheWindowMs, videoTokens } = given
  return [
    `output ${outputTokens} ${outputTokens === 1 ? 'token' : 'tokens'}`,
    `input ${inputPercent} per cent`,
    `other tokenizers ${bandPercent.join(' to ')} per cent`,
    `cache step ${cacheStepPercent} per cent within ${cacheWindowMs / 1000} s`,
    `video ${videoTokens} ${videoTokens === 1 ? 'token' : 'tokens'}`,
  ].join(', ')
}

const count = (n: number | undefined) => (n === undefined ? '' : n.toLocaleString('en-US'))

/** The tables of a report, for every form of it. */
export function auditTables(report: AuditReport) {
  const { figures, spend, findings, models, unverifiable } = report
  return {
    figures: {
      titles: ['figure', 'label', '#calls', '#spend', '#share'],
      rows: figures.map((one) => [
        one.figure,
        one.label,
        count(one.calls),
        dollars(one.spend),
        share(one.spend, spend),
      ]),
    },
    findings: {
      titles: ['kind', 'label', 'model', 'what was seen', '#calls', '#billed', '#counted', '#beyond', 'examples'],
      rows: findings.map((one) => [
        one.kind,
        one.label,
        `${one.provider}/${one.model}`,
        one.what,
        count(one.calls),
        count(one.billed),
        countedIn(one),
        one.beyond === undefined ? '' : dollars(one.beyond),
        one.examples.slice(0, 3).join(' '),
      ]),
    },
    models: {
      titles: [
        'model',
        '#calls',
        '#spend',
        'counted with',
        '#input billed / counted',
        '#cache expected',
        '#cache read',
      ],
      rows: models.map((one) => [
        `${one.provider}/${one.model}`,
        count(one.calls),
        dollars(one.spend),
        one.tokenizer === undefined ? '' : `${one.tokenizer}${one.isOwnTokenizer ? '' : ' (stands in)'}`,
        one.inputPercent === undefined ? '' : `${one.inputPercent} %`,
        count(one.cacheExpected),
        count(one.cacheRead),
      ]),
    },
    unverifiable: {
      titles: ['figure', 'why', '#calls', '#spend'],
      rows: unverifiable.map((one) => [one.figure, one.why, count(one.calls), dollars(one.spend)]),
    },
  }
}

function countedIn({ low, high }: Finding): string {
  if (low === undefined || high === undefined) return ''
  return low === high ? count(low) : `${count(low)} to ${count(high)}`
}

const NOTHING = 'Nothing that could be checked is beside what was billed.'

export function auditPage(report: AuditReport, { about, seed }: AuditAbout): string {
  const { figures, findings, models, unverifiable } = auditTables(report)
  const parts: Html[] = [
    paragraph(`${about}: ${count(report.calls)} calls.`),
    headline(
      share(report.byLabel.UNVERIFIABLE, report.spend),
      `of ${dollars(report.spend)} can be checked by nobody but the provider.`,
    ),
    table(figures.titles, figures.rows),
    heading('To be looked at'),
    findings.rows.length === 0 ? paragraph(NOTHING) : table(findings.titles, findings.rows),
    paragraph(CAUTION),
    heading('What nobody can check'),
    table(unverifiable.titles, unverifiable.rows),
    heading('Models'),
    table(models.titles, models.rows),
    heading('How it was counted'),
    list([
      `Tolerances: ${tolerancesInWords(report.tolerances)}.`,
      ...(report.unpriced > 0 ? [`Without a known cost, and in no sum: ${count(report.unpriced)} calls.`] : []),
      ...(seed === undefined ? [] : [`Seed: ${seed}.`]),
    ]),
  ]
  return page('What of this bill can be checked', parts)
}

export function auditMarkdown(report: AuditReport, { about, seed }: AuditAbout): string {
  const { figures, findings, models, unverifiable } = auditTables(report)
  return [
    '# What of this bill can be checked',
    `${plain(about)}: ${count(report.calls)} calls.`,
    `**${headlineOf(report)}.**`,
    grid(figures),
    '## To be looked at',
    findings.rows.length === 0 ? NOTHING : grid(findings),
    CAUTION,
    '## What nobody can check',
    grid(unverifiable),
    '## Models',
    grid(models),
    '## How it was counted',
    `Tolerances: ${tolerancesInWords(report.tolerances)}.${seed === undefined ? '' : ` Seed: ${seed}.`}`,
    ...(report.unpriced > 0 ? [`Without a known cost, and in no sum: ${count(report.unpriced)} calls.`] : []),
  ]
    .join('\n\n')
    .concat('\n')
}

/** Names come from whoever may post events: nothing of them is Markdown, nor HTML. */
function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').replace(/[\\`*_[\]<>|#&]/g, '\\$&')
}

function grid({
  titles,
  rows,
}: {
  readonly titles: readonly string[]
  readonly rows: readonly (readonly string[])[]
}): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(titles.map((title) => title.replace(/^#/, ''))),
    line(titles.map((title) => (title.startsWith('#') ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(plain))),
  ].join('\n')
}
