// The audit: three labels, what is to be looked at, and nothing that is not there.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createAudit } from '../../src/audit/audit.ts'
import { auditMarkdown, auditPage } from '../../src/audit/audit-report.ts'
import { demoLog } from '../../src/audit/demo.ts'
import type { AuditedCall, AuditReport, Tolerances } from '../../src/audit/labels.ts'
import { isAnotherModel } from '../../src/audit/model-names.ts'
import { readAuditedLog } from '../../src/audit/read-log.ts'
import { hashOf, prefixesOf, readPrefix, writePrefix } from '../../src/call/content-hash.ts'
import { audit } from '../../src/cli/audit.ts'
import { readValues } from '../../src/cli/command.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import type { LLMEvent } from '../../src/event.ts'
import { formatUsd } from '../../src/money.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { countTokens } from '../../src/providers/count-tokens.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import type { Usage } from '../../src/usage.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event } from '../support/ledgers.ts'

const book = await loadPriceBook()
const ANSWER = 'The invoice of the harbor does not agree with the ledger, and nobody can say why it does not.'
const TOKENS = (await countTokens([ANSWER], 'gpt-4o')).tokens
const ID = 'call-1'

/** A call as it is billed: its totals from its buckets, its cost from the book. */
function call(usage: Usage, over: Partial<LLMEvent> & { readonly at?: number } = {}): LLMEvent {
  const sum = (start: string) =>
    Object.entries(usage).reduce((total, [bucket, n]) => total + (bucket.startsWith(start) ? n : 0), 0)
  const made = event({ responseId: ID, ...over })
  const cost = book.price(usage, { provider: made.provider, model: made.model, at: Date.parse(made.timestamp) })
  return {
    ...made,
    usage,
    inputTokens: sum('input.'),
    outputTokens: sum('output.'),
    reasoningTokens: usage['output.reasoning'] ?? 0,
    cachedTokens: usage['input.text.cache_read'] ?? 0,
    ...(cost && { costUsd: formatUsd(cost.pico), costLines: cost.lines }),
    ...over,
  }
}

const said = (output: string, input = '', isTextOnly = true): AuditedCall['text'] => ({
  output: () => ({ texts: output === '' ? [] : [output], isTextOnly }),
  prompt: () => (input === '' ? [] : [input]),
  request: input === '' ? {} : { messages: [{ role: 'user', content: input }] },
})

async function reportOf(calls: readonly AuditedCall[], tolerances: Partial<Tolerances> = {}): Promise<AuditReport> {
  const auditing = createAudit({ book, tolerances })
  for (const one of calls) await auditing.add(one)
  return auditing.report()
}

const labels = ({ figures }: AuditReport) => figures.map(({ figure, label }) => `${figure} ${label}`)
const kinds = ({ findings }: AuditReport) => findings.map(({ kind }) => kind)

describe('an output', () => {
  test.each([
    [0, []],
    [1, []],
    [-1, []],
    [2, ['output-above']],
    [-2, ['output-below']],
  ])('of the published encoding that is billed %i tokens beside its count is %j', async (beside, found) => {
    const report = await reportOf([{ event: call({ 'output.text': TOKENS + beside }), text: said(ANSWER) }])
    expect(labels(report)).toEqual(['output EXACT'])
    expect(kinds(report)).toEqual(found)
  })

  test('has the tolerance that it is given', async () => {
    const calls = [{ event: call({ 'output.text': TOKENS + 7 }), text: said(ANSWER) }]
    expect(kinds(await reportOf(calls, { outputTokens: 7 }))).toEqual([])
    expect(kinds(await reportOf(calls, { outputTokens: 6 }))).toEqual(['output-above'])
  })

  test('of a model whose tokenizer nobody has is bounded, and never exact', async () => {
    const at = (tokens: number) => ({
      event: call({ 'output.text': tokens }, { provider: 'anthropic', model: 'claude-opus-4-6', endpoint: 'messages' }),
      text: said(ANSWER),
    })
    const report = await reportOf([at(TOKENS), at(Math.floor(TOKENS * 1.3))])
    expect([labels(report), kinds(report)]).toEqual([['output BOUNDED'], []])
    expect(kinds(await reportOf([at(TOKENS * 2)]))).toEqual(['output-above'])
  })

  test.each<[string, AuditedCall, string]>([
    ['whose text nobody kept', { event: call({ 'output.text': 10 }) }, 'No text was kept'],
    ['that calls tools', { event: call({ 'output.text': 10 }), text: said('', '', false) }, 'more than text'],
    [
      'that we estimated',
      { event: call({ 'output.text': 10 }, { usageSource: 'estimated' }), text: said(ANSWER) },
      'our own estimate',
    ],
  ])('%s cannot be checked, and is no gap', async (_, one, why) => {
    const report = await reportOf([one])
    expect(report.unverifiable).toEqual([
      expect.objectContaining({ figure: 'output', why: expect.stringContaining(why), calls: 1 }),
    ])
    expect([labels(report), kinds(report)]).toEqual([['output UNVERIFIABLE'], []])
    expect(report.byLabel.UNVERIFIABLE).toBe(report.spend)
  })

  test('is checked by the count that was kept in place of its text', async () => {
    const kept = (countedOutputTokens: number, outputTokenizer = 'js-tiktoken@1.0.21/o200k_base') => [
      { event: call({ 'output.text': 100 }, { countedOutputTokens, outputTokenizer }) },
    ]
    const exact = await reportOf(kept(100))
    expect([labels(exact), kinds(exact)]).toEqual([['output EXACT'], []])
    expect(kinds(await reportOf(kept(71)))).toEqual(['output-above'])
    // Counted with something else, which bounds it at most.
    expect(labels(await reportOf(kept(71, 'other')))).toEqual(['output BOUNDED'])
  })

  test('that thought first is checked without its thoughts, which nobody can check', async () => {
    const report = await reportOf([
      { event: call({ 'output.text': TOKENS, 'output.reasoning': 4200 }, { model: 'o3' }), text: said(ANSWER) },
    ])
    expect([labels(report), kinds(report)]).toEqual([['output EXACT', 'reasoning UNVERIFIABLE'], []])
  })
})

describe('an input', () => {
  const PROMPT = 'Please tell me in a few plain words why the two sums do not agree. '.repeat(4)
  const CHINESE = '请用几句简单的话告诉我，为什么这两个金额不一致。'.repeat(6)
  const counted = async (text: string) => (await countTokens([text], 'gpt-4o')).tokens

  test('is bounded with what stands around its messages', async () => {
    const tokens = await counted(PROMPT)
    const report = await reportOf([{ event: call({ 'input.text': tokens + 7 }), text: said(ANSWER, PROMPT) }])
    expect([labels(report), kinds(report)]).toEqual([['input BOUNDED'], []])
    const hidden = await reportOf([{ event: call({ 'input.text': tokens + 300 }), text: said(ANSWER, PROMPT) }])
    expect(hidden.findings).toEqual([expect.objectContaining({ kind: 'input-above', label: 'BOUNDED', calls: 1 })])
  })

  test.each([0.6, 1, 1.8])(
    'in Chinese that another tokenizer makes %d times our tokens of is within its band',
    async (times) => {
      const tokens = Math.round((await counted(CHINESE)) * times)
      const one = call(
        { 'input.text': tokens },
        { provider: 'anthropic', model: 'claude-opus-4-6', endpoint: 'messages' },
      )
      expect(kinds(await reportOf([{ event: one, text: said(ANSWER, CHINESE) }]))).toEqual([])
    },
  )

  test('is held to what calls of its model usually are', async () => {
    const tokens = await counted(PROMPT)
    const one = (times: number, id: string) => ({
      event: call(
        { 'input.text': Math.round(tokens * times) + 20 },
        { provider: 'anthropic', model: 'claude-opus-4-6', endpoint: 'messages', responseId: id },
      ),
      text: said(ANSWER, PROMPT),
    })
    // Each of them is within 75 to 135 per cent and the frame; all others are near 80.
    const usual = Array.from({ length: 12 }, (_, i) => one(0.8 + (i % 3) / 100, `usual-${i}`))
    expect(kinds(await reportOf(usual))).toEqual([])
    expect((await reportOf([...usual, one(1.5, 'other')])).findings).toEqual([
      expect.objectContaining({ kind: 'input-above', examples: ['other'] }),
    ])
  })

  test('with a picture in it cannot be checked', async () => {
    const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
    const request = { messages: [{ role: 'user', content: [{ type: 'text', text: PROMPT }, picture] }] }
    const one = { event: call({ 'input.text': 5000 }), text: { ...said(ANSWER, PROMPT)!, request } }
    const report = await reportOf([one])
    expect([labels(report), kinds(report)]).toEqual([['input UNVERIFIABLE'], []])
  })
})

describe('a cache', () => {
  const system = 'You answer questions about harbors. '.repeat(300)
  const DAY = Date.UTC(2026, 10, 20)
  const one = (i: number, cached: number, everyMs = 30_000): AuditedCall => ({
    event: call(
      { 'input.text': 2200 - cached, ...(cached > 0 && { 'input.text.cache_read': cached }) },
      { at: DAY + i * everyMs, responseId: `c${i}` },
    ),
    text: { ...said('', `${i}`)!, prompt: () => [system, `question ${i}`], request: {} },
  })

  test('that is read no more is a step, with the moment it fell', async () => {
    const report = await reportOf(
      Array.from({ length: 40 }, (_, i) => one(i, i > 0 && i < 20 ? 2048 : 0)),
      { inputPercent: 1000 },
    )
    expect(report.findings.filter(({ kind }) => kind === 'cache-step')).toEqual([
      expect.objectContaining({ calls: 20, what: expect.stringContaining(new Date(DAY + 600_000).toISOString()) }),
    ])
    expect(report.byLabel.UNVERIFIABLE).toBeGreaterThan(0n)
  })

  test.each<[string, (i: number) => AuditedCall]>([
    ['never was read', (i) => one(i, 0)],
    ['is always read', (i) => one(i, i > 0 ? 2048 : 0)],
    ['is forgotten between calls', (i) => one(i, i < 20 ? 2048 : 0, 600_000)],
  ])('that %s has no step', async (_, make) => {
    const report = await reportOf(
      Array.from({ length: 40 }, (_, i) => make(i)),
      { inputPercent: 1000 },
    )
    expect(kinds(report)).not.toContain('cache-step')
  })
})

test('prompts are told apart by salted hashes alone', () => {
  const one = prefixesOf(['system', 'question'], 'salt')
  expect(one.map(({ bytes }) => bytes)).toEqual([6, 14])
  expect(prefixesOf(['system', 'other'], 'salt')[0]).toEqual(one[0])
  expect(prefixesOf(['system', 'question'], 'other')[0]!.hash).not.toBe(one[0]!.hash)
  expect(prefixesOf(['systemq', 'uestion'], 'salt')[1]!.hash).not.toBe(one[1]!.hash)
  expect(readPrefix(writePrefix(one[1]!))).toEqual(one[1])
  expect(readPrefix('a prompt')).toBeUndefined()
})

test.each([
  ['gpt-4o-2024-08-06', 'gpt-4o', false],
  ['claude-sonnet-4-5-20250929', 'claude-sonnet-4-5', false],
  ['us.anthropic.claude-opus-5-v1:0', 'claude-opus-5', false],
  ['gpt-4o', 'prod-chat', false],
  ['gpt-4o-mini-2024-07-18', 'gpt-4o', true],
  ['claude-haiku-4-5', 'claude-opus-5', true],
  ['openai/gpt-5', 'openrouter/auto', false],
])('%s in place of %s is another model: %j', (model, modelRequested, isAnother) => {
  expect(isAnotherModel({ model, modelRequested })).toBe(isAnother)
})

test('a text that is not the one whose hash was kept is named', async () => {
  const hashes = {
    salt: 'salt',
    outputs: new Map([
      ['same', hashOf(ANSWER, 'salt')],
      ['other', hashOf('Another.', 'salt')],
    ]),
  }
  const auditing = createAudit({ book, hashes })
  for (const responseId of ['same', 'other', 'unknown'])
    await auditing.add({ event: call({ 'output.text': TOKENS }, { responseId }), text: said(ANSWER) })
  expect(auditing.report().findings).toEqual([
    expect.objectContaining({ kind: 'other-text', calls: 1, examples: ['other'] }),
  ])
})

describe('a video', () => {
  const at = (tokens: number, over: Partial<LLMEvent> = {}) =>
    call({ 'output.video': tokens }, { provider: 'byteplus', model: 'seedance-1-0-pro', costUsd: '0.5', ...over })

  test('whose file cannot be read is unverifiable, and the audit goes on', async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const broken = join(folder.path, 'broken.mp4')
    writeFileSync(broken, 'no video')
    const report = await reportOf([
      { event: at(900), video: broken },
      { event: at(900, { responseId: 'gone' }), video: join(folder.path, 'gone.mp4') },
      { event: at(900, { responseId: 'none' }) },
    ])
    expect(labels(report)).toEqual(['video UNVERIFIABLE'])
    expect(report.unverifiable).toEqual([
      expect.objectContaining({ calls: 2, why: expect.stringContaining('cannot be read as an MP4') }),
      expect.objectContaining({ calls: 1, why: 'The video that was delivered is not at hand.' }),
    ])
  })

  test('is no text, whatever is said beside it', async () => {
    const report = await reportOf([{ event: at(900), text: said(ANSWER) }])
    expect([labels(report), kinds(report)]).toEqual([['video UNVERIFIABLE'], []])
  })

  test('of another size than is billed is told of its file, with what the rest cost', async () => {
    const { lines, videos } = await demoLog(5)
    const only = lines.filter((line) => line.includes('output.video'))
    const { report } = await auditOf(only, 'jsonl', videos)
    expect(labels(report)).toEqual(['video EXACT'])
    expect(report.findings).toEqual([
      expect.objectContaining({
        kind: 'video-above',
        what: expect.stringContaining('than the file comes to, by the width'),
      }),
    ])
    expect(report.findings[0]!.beyond).toBeGreaterThan(0n)
  })
})

test('the money of all labels adds up to all that was spent', async () => {
  const report = await reportOf([
    {
      event: call({ 'input.text': 1000, 'input.text.cache_read': 500, 'output.text': TOKENS, 'fee.web_search': 2 }),
      text: said(ANSWER),
    },
    {
      event: call({ 'output.text': 10 }, { costUsd: '0.5', costLines: [], costSource: 'reported' }),
      text: said(ANSWER),
    },
    { event: call({ 'output.text': 10 }, { provider: 'nobody', model: 'm' }) },
  ])
  expect(report).toMatchObject({ calls: 3, unpriced: 1 })
  expect(report.figures.reduce((sum, { spend }) => sum + spend, 0n)).toBe(report.spend)
  expect(Object.values(report.byLabel).reduce((sum, spend) => sum + spend, 0n)).toBe(report.spend)
})

test('no report has a word of what was said, and no name is markup in it', async () => {
  const report = await reportOf([
    {
      event: call({ 'output.text': 900 }, { responseId: '<script>x</script>|`*' }),
      text: said(ANSWER, 'my secret question'),
    },
  ])
  const about = { about: '<img src=x onerror=alert(1)>' }
  const [page, markdown] = [auditPage(report, about), auditMarkdown(report, about)]
  expect(page + markdown).not.toMatch(/harbor|secret/)
  expect(page).not.toMatch(/<script|<img/)
  expect(markdown).not.toMatch(/(?<!\\)<script|(?<!\\)<img/)
  expect(page).toContain('never a verdict')
})

async function auditOf(lines: readonly string[], format = 'jsonl', videos: ReadonlyMap<string, Buffer> = new Map()) {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  for (const [id, mp4] of videos) writeFileSync(join(folder.path, `${id}.mp4`), mp4)
  const auditing = createAudit({ book })
  const faults: string[] = []
  const bytes = async function* () {
    for (const line of lines) yield Buffer.from(`${line}\n`)
  }
  for await (const row of readAuditedLog(bytes(), { format, book })) {
    if ('fault' in row) faults.push(`${row.line}: ${row.fault}`)
    else if (videos.size === 0) await auditing.add(row)
    else await auditing.add({ ...row, video: join(folder.path, `${row.event.responseId}.mp4`) })
  }
  return { report: auditing.report(), faults }
}

describe('a log', () => {
  const base = { timestamp: '2026-11-20T10:00:00Z', provider: 'openai', model: 'gpt-4o', endpoint: 'chat.completions' }

  test('of our own form has text beside its events', async () => {
    const { report, faults } = await auditOf([
      JSON.stringify({ ...base, input_tokens: 12, output_tokens: TOKENS, output: ANSWER, input: 'Why?' }),
      'no json',
      JSON.stringify({
        ...base,
        input_tokens: 12,
        output_tokens: TOKENS + 40,
        output: [{ role: 'assistant', content: ANSWER }],
      }),
    ])
    expect(faults).toEqual([expect.stringMatching(/^2: /)])
    expect(report).toMatchObject({ calls: 2, findings: [{ kind: 'output-above', calls: 1 }] })
  })

  test('of LiteLLM that kept its texts is checked, and without them is not', async () => {
    const row = (response: object | string) =>
      JSON.stringify({
        ...{
          request_id: `r${JSON.stringify(response).length}`,
          call_type: 'acompletion',
          model: 'gpt-4o',
          custom_llm_provider: 'openai',
        },
        ...{
          startTime: '2026-11-20T10:00:00Z',
          endTime: '2026-11-20T10:00:01Z',
          spend: 0.001,
          prompt_tokens: 20,
          completion_tokens: TOKENS,
        },
        ...{ total_tokens: 20 + TOKENS, messages: {}, response, metadata: {} },
      })
    const answer = { choices: [{ message: { role: 'assistant', content: ANSWER } }] }
    expect(labels((await auditOf([row(answer)], 'litellm')).report)).toContain('output EXACT')
    expect(labels((await auditOf([row('{}')], 'litellm')).report)).toContain('output UNVERIFIABLE')
  })
})

describe('the demonstration', () => {
  test.each([20_261_122, Math.floor(Math.random() * 1e9)])(
    'of the seed %i finds every fault and invents none',
    async (seed) => {
      const { lines, videos, planted } = await demoLog(seed)
      const { report, faults } = await auditOf(lines, 'jsonl', videos)
      expect(faults).toEqual([])
      const named = (list: readonly { readonly kind: string; readonly model: string; readonly calls: number }[]) =>
        list.map(({ kind, model, calls }) => `${kind} ${model} ${calls}`).sort()
      expect(named(report.findings)).toEqual(named(planted))
    },
  )
})

describe('tallygate audit', () => {
  async function run(...args: string[]) {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    mkdirSync(folder.path, { recursive: true })
    const path = (name: string) => join(folder.path, name)
    const ledger = sqliteLedger({ path: path('ledger.db') })
    const events = [
      call(
        { 'output.text': 100 },
        { tenantId: 'acme', countedOutputTokens: 60, outputTokenizer: 'js-tiktoken@1.0.21/o200k_base' },
      ),
      call({ 'output.text': 100 }, { tenantId: 'globex' }),
    ]
    await ledger.send({ id: 'b', events }, new AbortController().signal)
    await ledger.close()
    writeFileSync(
      path('log.jsonl'),
      `${JSON.stringify({ provider: 'openai', model: 'gpt-4o', timestamp: '2026-11-20T10:00:00Z', output_tokens: TOKENS, output: ANSWER })}\n{}\n`,
    )
    let [out, err] = ['', '']
    const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: (more) => (err += more) }, {})
    const named = args.map((arg) => arg.replace('@', folder.path))
    const isLedger = !args.some((arg) => arg.endsWith('.jsonl') || arg === '--demo')
    const given = readValues(audit, [...named, ...(isLedger ? ['--dir', folder.path] : [])])
    const exitCode = await audit.run(given, { terminal, env: {} })
    return { out, err, exitCode, path }
  }

  test('reads the ledger, whose counts are all that it has', async () => {
    const { out, exitCode, path } = await run('--html', '@/page.html')
    expect(exitCode).toBe(0)
    expect(out).toContain('50.0 % of')
    expect(out).toMatch(/output-above {2}openai\/gpt-4o {2}EXACT/)
    expect(out).toContain('Tolerances: output 1 token')
    expect(readFileSync(path('page.html'), 'utf8')).toContain('output-above')
  })

  test('takes the filters of a report, and fails a build where that is wanted', async () => {
    const { out, exitCode } = await run('--tenant', 'globex', '--json', '--fail')
    expect(JSON.parse(out)).toMatchObject({ calls: 1, findings: [], tolerances: { output_tokens: 1 } })
    expect(exitCode).toBe(0)
    expect((await run('--json', '--fail')).exitCode).toBe(1)
    expect((await run('--json', '--fail', '--output-tolerance', '40')).exitCode).toBe(0)
  })

  test('reads a log, and tells of the rows that it could not', async () => {
    const { out, err } = await run('@/log.jsonl', '--markdown')
    expect(out).toContain('| output | EXACT | 1 |')
    expect(err).toMatch(/^Line 2: .*\n1 row was set aside\.\n$/)
  })

  test('of which no row can be read is no audit', async () => {
    await expect(run('@/log.jsonl', '--format', 'litellm')).rejects.toThrow(
      /^No row of .*log\.jsonl can be read as litellm\.$/,
    )
  })

  test('shows itself on seeded calls, and writes the page', async () => {
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    mkdirSync(folder.path, { recursive: true })
    const { out } = await run('--demo', '--seed', '7', '--html', join(folder.path, 'demo.html'))
    expect(out).toContain('Seed: 7.')
    expect(existsSync(join(folder.path, 'demo.html'))).toBe(true)
  })

  test.each<[string[], string]>([
    [['--seed', '7'], '`--seed` goes with `--demo`'],
    [['--demo', '--seed', 'x'], '`--seed` takes a whole number'],
    [['--band', '200-300'], '`--band` takes two numbers around 100'],
    [['--output-tolerance', '-1x'], '`--output-tolerance` needs a value'],
    [['--hashes', '/nowhere'], '`--hashes` goes with a log'],
    [['--json', '--markdown'], 'either `--json` or `--markdown`'],
    [['@/nothing.jsonl'], 'There is no file'],
    [['--videos', '/nowhere'], 'There is no folder /nowhere.'],
    [['@/log.jsonl', '--format', 'csv'], 'format'],
  ])('with %j says what is wrong', async (args, sentence) => {
    await expect(run(...args)).rejects.toThrow(sentence)
  })
})
