// A comparison of models for programs and as a page.

import { dollars } from '../figures.ts'
import { formatUsd } from '../money.ts'
import type { ComparedSums, ComparedTarget, Comparison } from './comparison.ts'
import { type Html, heading, headline, list, page, paragraph, share, table } from './html.ts'

/** Every digit, money as strings. */
export function comparisonJson(comparison: Comparison): object {
  return {
    calls: comparison.calls,
    estimated: comparison.estimated,
    price_version: comparison.priceVersion,
    targets: comparison.targets.map((target) => ({
      provider: target.provider,
      model: target.model,
      total: figures(target.total),
      rows: target.rows.map((row) => ({ feature: row.feature, tenant: row.tenant, ...figures(row) })),
      not_compared: target.notCompared.map(({ why, calls, cost }) => ({ why, calls, cost_usd: formatUsd(cost) })),
      models: target.models.map(({ provider, model, calls, label, lowPercent, highPercent, why }) => ({
        ...{ provider, model, calls, label },
        tokens_percent: [lowPercent, highPercent],
        why,
      })),
      at_todays_rates: target.atTodaysRates,
      guessed: target.guessed,
    })),
  }
}

function figures({ calls, cost, there, thereLow, thereHigh }: ComparedSums) {
  return {
    calls,
    cost_usd: formatUsd(cost),
    there_usd: formatUsd(there),
    there_low_usd: formatUsd(thereLow),
    there_high_usd: formatUsd(thereHigh),
    saving_usd: formatUsd(cost - there),
    saving_low_usd: formatUsd(cost - thereHigh),
    saving_high_usd: formatUsd(cost - thereLow),
  }
}

/** What has to be known beside the figures of a target, each a sentence. */
export function notesOf(target: ComparedTarget): string[] {
  const { models, notCompared, atTodaysRates, guessed } = target
  return [
    ...models.map(
      ({ provider, model, calls, label, why }) => `${provider}/${model}, ${counted(calls)}: tokens ${label}. ${why}`,
    ),
    ...notCompared.map(
      ({ why, calls, cost }) => `Not compared: ${counted(calls)}${cost > 0n ? ` of ${dollars(cost)}` : ''}. ${why}`,
    ),
    ...(atTodaysRates > 0
      ? [`${counted(atTodaysRates)} from before it had a price ${are(atTodaysRates)} priced by its rates of today.`]
      : []),
    ...(guessed > 0 ? [`${counted(guessed)} ${are(guessed)} priced by the rates of its family, a guess.`] : []),
  ]
}

/** What holds for every target. */
export const ASSUMPTIONS =
  'As many calls, answers as long, and as much read from a cache as there was: what another model would really say, and what its provider would find in its cache, only a trial can tell.'

export function comparisonPage(comparison: Comparison, about: string): string {
  const parts: Html[] = [paragraph(about), paragraph(ASSUMPTIONS)]
  for (const target of comparison.targets) {
    const { total, rows } = target
    parts.push(
      heading(`${target.provider}/${target.model}`),
      total.calls === 0
        ? paragraph('None of the calls could be compared.')
        : headline(
            savingOf(total),
            `saved of ${dollars(total.cost)} for ${counted(total.calls)} (${share(total.cost - total.there, total.cost)})`,
          ),
    )
    if (rows.length > 0)
      parts.push(
        table(
          ['feature', 'tenant', '#calls', '#cost', '#there', '#saving', '#from', '#to'],
          rows.map((row) => [
            row.feature ?? '(no feature)',
            row.tenant ?? '(no tenant)',
            row.calls.toLocaleString('en-US'),
            dollars(row.cost),
            dollars(row.there),
            savingOf(row),
            dollars(row.cost - row.thereHigh),
            dollars(row.cost - row.thereLow),
          ]),
        ),
      )
    const notes = notesOf(target)
    if (notes.length > 0) parts.push(list(notes))
  }
  if (comparison.estimated > 0)
    parts.push(paragraph(`The usage of ${counted(comparison.estimated)} is estimated, in part or whole.`))
  parts.push(paragraph(`Prices: ${comparison.priceVersion}.`))
  return page('Where to migrate', parts)
}

function savingOf({ cost, there }: ComparedSums): string {
  return dollars(cost - there)
}

function counted(calls: number): string {
  return `${calls.toLocaleString('en-US')} ${calls === 1 ? 'call' : 'calls'}`
}

function are(count: number): string {
  return count === 1 ? 'is' : 'are'
}
