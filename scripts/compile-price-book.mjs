// Compiles the price data package and our overlay into src/pricing/data/price-book.ts; `--check` only compares.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { waitForUpdate } from '@pydantic/genai-prices'
import { parseUsd } from '../src/money.ts'
import { COLUMNS } from '../src/pricing/book-data.ts'
import { accepts } from '../src/pricing/lookup.ts'

const PACKAGE = '@pydantic/genai-prices'
const PINNED = {
  version: '0.1.8',
  sha256: '0c9da2297434f9f0a3033f26442542457e7b2a68f411aa1b0bb4cade1a129c06',
}

const BOOK = new URL('../src/pricing/data/price-book.ts', import.meta.url)
const OVERLAY = new URL('../src/pricing/data/overlay/', import.meta.url)

/** A legal comment, which bundlers keep. */
const HEADER = `/*!
 * Written by scripts/compile-price-book.mjs from @pydantic/genai-prices and the overlay beside this file: do not edit.
 * @pydantic/genai-prices is Copyright (c) Pydantic Services Inc. 2025 to present, under the MIT License: see NOTICE.
 */`

/** The package's price keys that we have a bucket for. */
const BUCKET_OF = {
  input_mtok: 'input.text',
  output_mtok: 'output.text',
  cache_read_mtok: 'input.text.cache_read',
  cache_write_mtok: 'input.text.cache_write',
  cache_write_1h_mtok: 'input.text.cache_write_1h',
  output_reasoning_mtok: 'output.reasoning',
  input_audio_mtok: 'input.audio',
  cache_audio_read_mtok: 'input.audio.cache_read',
  output_audio_mtok: 'output.audio',
  input_image_mtok: 'input.image',
  cache_image_read_mtok: 'input.image.cache_read',
  output_image_mtok: 'output.image',
  input_video_mtok: 'input.video',
  output_video_mtok: 'output.video',
  web_searches_kcount: 'fee.web_search',
  requests_kcount: 'fee.request',
}

/** Billed apart from tokens, on endpoints or tools that have no bucket yet. */
const NO_BUCKET = new Set([
  'storage_searches_kcount',
  'audio_hours',
  'input_audio_hours',
  'input_document_kpages',
  'input_annotated_document_kpages',
  'input_text_messages_kcount',
])

/** Billed within every answer and in no bucket: tokens alone would cost too little, so these models stay unpriced. */
const UNCOUNTABLE = new Set(['output_citation_mtok'])

/** OpenRouter derives this one from a price per hour (1/12 of a dollar); it is no whole number of pico-dollars. */
const isUnpublished = (provider, key, usd) =>
  provider === 'openrouter' && key === 'cache_write_mtok' && usd === 0.08333333333333334

/** The package files the audio or image rate of models with one kind of output under plain output. */
const SPEAKS = /(^|-)tts(-|$)/
const DRAWS = /^gpt-image-/

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const DATE = /^\d{4}-\d{2}-\d{2}$/
const HOURS = /^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/

function fail(message) {
  throw new Error(`price book: ${message}`)
}

/** Whole pico-dollars for one unit. Fifteen digits: the package has sums such as 0.18000000000000002. */
function perUnit(usd, bucket, where) {
  const units = bucket.startsWith('fee.') ? 1000n : 1_000_000n
  const pico = parseUsd(typeof usd === 'number' ? Number(usd.toPrecision(15)) : usd)
  if (pico === undefined || pico < 0n || pico % units !== 0n)
    fail(`${where}: ${bucket} at ${usd} is no whole number of pico-dollars per unit`)
  return Number(pico / units)
}

/** Rates in the order of the columns, without empty ends. */
function columnar(rates) {
  const row = COLUMNS.map((bucket) => rates[bucket] ?? null)
  while (row.length > 0 && row.at(-1) === null) row.pop()
  return row
}

function packageRow(provider, model, { constraint, prices }) {
  const where = `${provider}/${model.id}`
  const starts = [...new Set(Object.values(prices).flatMap((price) => price.tiers?.map((tier) => tier.start) ?? []))]
  starts.sort((a, b) => a - b)
  const ratesAt = (start) => {
    const rates = {}
    for (const [key, price] of Object.entries(prices)) {
      if (NO_BUCKET.has(key)) continue
      const bucket = BUCKET_OF[key] ?? fail(`${where}: unknown price key ${key}`)
      const tier = price.tiers?.filter((tier) => tier.start <= start).at(-1)
      const usd = tier?.price ?? price.base ?? price
      if (!isUnpublished(provider, key, usd)) rates[bucket] = perUnit(usd, bucket, where)
    }
    if (SPEAKS.test(model.id) && 'output.text' in rates) rates['output.audio'] ??= rates['output.text']
    if (DRAWS.test(model.id) && 'output.text' in rates) rates['output.image'] ??= rates['output.text']
    return rates
  }
  const base = ratesAt(-1)
  const isFree =
    Object.keys(prices).length === 0 && (model.id.endsWith(':free') || /\bfree of charge\b/i.test(model.price_comments))
  if (isFree) Object.assign(base, { 'input.text': 0, 'output.text': 0 })
  return {
    ...(constraint?.type === 'start_date' && { from: constraint.start_date }),
    ...(constraint?.type === 'time_of_date' && { hours: [utcHours(constraint, where)] }),
    rates: columnar(base),
    ...(starts.length > 0 && { above: starts.map((start) => [start, columnar(ratesAt(start))]) }),
  }
}

function utcHours({ start_time, end_time }, where) {
  const hours = `${start_time}-${end_time}`.replaceAll(/:00Z/g, '')
  return HOURS.test(hours) ? hours : fail(`${where}: hours ${hours}`)
}

function packageRows(provider, model) {
  const periods = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  if (periods.some(({ prices }) => Object.keys(prices).some((key) => UNCOUNTABLE.has(key)))) return []
  const rows = periods.map((period) => packageRow(provider, model, period))
  return rows.some(({ rates }) => rates.length > 0) ? rows : []
}

const DATED = /^\^(.*)-(?:\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\})\$$/

/** A model without rows stays: its id is known to have no price, and no family may take it. */
function packageModels({ id: provider, models }) {
  return models.map((model) => {
    const { ids, family } = identify(model, models)
    return {
      ...(ids.length === 0 && { name: model.id.toLowerCase() }),
      ids,
      ...(family.length > 0 && { family }),
      rows: packageRows(provider, model),
    }
  })
}

/** Exact ids apart from rules that take a whole family; a rule for dated snapshots of an exact id is the engine's own. */
function identify(model, models) {
  const parts = model.match.or ?? [model.match]
  const ids = new Set()
  const first = models.find((other) => accepts(other.match, model.id.toLowerCase()))
  if (first === model) ids.add(model.id.toLowerCase())
  for (const part of parts) if (part.equals !== undefined) ids.add(part.equals.toLowerCase())
  const family = parts.filter(({ equals, regex }) => {
    if (equals !== undefined) return false
    const base = regex && DATED.exec(regex)?.[1].replaceAll('\\', '')
    return !(base && ids.has(base))
  })
  for (const { regex } of family) if (regex) new RegExp(regex)
  return { ids: [...ids], family }
}

function checkOverlay(where, { model, from, days, hours, above, source, read }) {
  if (typeof model !== 'string' || model !== model.toLowerCase()) fail(`${where}: model ${model}`)
  if (!DATE.test(read) || !URL.canParse(source)) fail(`${where}: needs a source page and the date it was read`)
  if (from !== undefined && !DATE.test(from)) fail(`${where}: from ${from}`)
  for (const span of hours ?? []) if (!HOURS.test(span)) fail(`${where}: hours ${span}`)
  for (const day of days ?? []) if (!WEEKDAYS.includes(day)) fail(`${where}: day ${day}`)
  if (days && hours?.some((span) => span.slice(6) <= span.slice(0, 5)))
    fail(`${where}: weekdays with hours past midnight`)
  for (const { inputTokens } of above ?? [])
    if (!Number.isSafeInteger(inputTokens)) fail(`${where}: band ${inputTokens}`)
}

function overlayRow(where, row) {
  checkOverlay(where, row)
  if (row.from === undefined) fail(`${where}: needs the date it holds from`)
  const rates = (listed) => {
    if (listed === null) return null
    const entries = Object.entries(listed).map(([bucket, usd]) => {
      if (typeof usd !== 'string' || !COLUMNS.includes(bucket)) fail(`${where}: ${bucket} at ${usd}`)
      return [bucket, perUnit(usd, bucket, where)]
    })
    return columnar(Object.fromEntries(entries))
  }
  return {
    from: row.from,
    ...(row.days && { days: row.days.map((day) => WEEKDAYS.indexOf(day)) }),
    ...(row.hours && { hours: row.hours }),
    rates: rates(row.rates),
    ...(row.above && { above: row.above.map((band) => [band.inputTokens, rates(band.rates)]) }),
  }
}

/** From the date of its first row on, the overlay is all there is of a model and tier. */
function lay(models, { provider, rows = [], limits = [] }) {
  const find = (id) => {
    let model = models.find(({ ids }) => ids.includes(id))
    if (!model) models.push((model = { ids: [id], rows: [] }))
    return model
  }
  const groups = Map.groupBy(rows, (row) => JSON.stringify([row.model, row.tier ?? 'standard']))
  for (const [key, group] of groups) {
    const [id, tier] = JSON.parse(key)
    const laid = group.map((row) => overlayRow(`${provider}/${id}`, row))
    const model = find(id)
    if (tier === 'standard') {
      const start = laid.map((row) => row.from).sort()[0]
      model.rows = [...model.rows.filter((row) => !row.hours && (row.from ?? '') < start), ...laid]
    } else model.tiers = { ...model.tiers, [tier]: laid }
  }
  for (const limit of limits) {
    checkOverlay(`${provider}/${limit.model}`, limit)
    find(limit.model).maxOutputTokens = limit.maxOutputTokens
  }
}

async function compile() {
  const entry = createRequire(import.meta.url)
    .resolve(PACKAGE)
    .replace(/\.cjs$/, '.js')
  const sha256 = createHash('sha256').update(readFileSync(entry)).digest('hex')
  const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${entry}`), 'utf8'))
  if (version !== PINNED.version || sha256 !== PINNED.sha256)
    fail(`${PACKAGE} ${version} (${sha256}) is not the pinned ${PINNED.version}: read what changed, then pin it`)

  const providers = {}
  for (const provider of await waitForUpdate())
    providers[provider.id] = {
      ...(provider.fallback_model_providers && { like: provider.fallback_model_providers }),
      models: packageModels(provider),
    }
  let read = ''
  for (const file of readdirSync(OVERLAY).sort()) {
    const overlay = JSON.parse(readFileSync(new URL(file, OVERLAY), 'utf8'))
    lay((providers[overlay.provider] ??= { models: [] }).models, overlay)
    for (const row of [...(overlay.rows ?? []), ...(overlay.limits ?? [])]) if (row.read > read) read = row.read
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([COLUMNS, providers]))
    .digest('hex')
  return {
    source: { package: PACKAGE, version, sha256 },
    version: `genai-prices-${version}+overlay-${read}.${digest.slice(0, 8)}`,
    columns: COLUMNS,
    providers,
  }
}

/** Text and not an object: `JSON.parse` reads it several times as fast. One model a line, so that diffs can be read. */
function print({ providers, ...head }) {
  const sections = Object.entries(providers).map(([id, { like, models }]) => {
    const lines = models.map((model) => JSON.stringify(model)).join(',\n')
    const makers = like ? `"like":${JSON.stringify(like)},` : ''
    return `${JSON.stringify(id)}:{${makers}"models":[\n${lines}\n]}`
  })
  const json = `{"version":${JSON.stringify(head.version)},\n"source":${JSON.stringify(head.source)},
"columns":${JSON.stringify(head.columns)},\n"providers":{\n${sections.join(',\n')}\n}}`
  if (/`|\$\{/.test(json)) fail('a name would end the template literal')
  JSON.parse(json)
  return `${HEADER}\n\n/** \`BookData\` as JSON. */\nexport const PRICE_BOOK: string = String.raw\`${json}\`\n`
}

const text = print(await compile())
if (process.argv.includes('--check')) {
  if (readFileSync(BOOK, 'utf8') !== text) fail(`${fileURLToPath(BOOK)} is stale: run scripts/compile-price-book.mjs`)
} else writeFileSync(BOOK, text)
