import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type Attribution,
  assignTenant,
  checkTags,
  checkTenantId,
  currentPayer,
  perRequest,
  resumeAs,
  runAs,
  runAsNobody,
  runAttributed,
  tenantIdFault,
} from '../../src/tenant.ts'

const silent = () => {}
const as = <T>(tenantId: string, fn: () => T, attribution?: Attribution) => runAs(tenantId, attribution, fn, silent)
const here = () => currentPayer().tenantId
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function complaints() {
  const said: string[] = []
  return { said, complain: (sentence: string) => void said.push(sentence) }
}

describe('a tenant', () => {
  test('holds for what runs in it, however deep and however late', async () => {
    const seen: unknown[] = []
    await as('acme', async () => {
      seen.push(here())
      await turn()
      seen.push(here())
      setTimeout(() => seen.push(here()), 0)
      await new Promise<void>((resolve) => setTimeout(resolve, 5))
      queueMicrotask(() => seen.push(here()))
      await turn()
    })
    expect(seen).toEqual(['acme', 'acme', 'acme', 'acme'])
    expect(here()).toBeUndefined()
  })

  test('nests, and the one around it is back afterwards', () => {
    as('acme', () => {
      expect(as('globex', here)).toBe('globex')
      expect(here()).toBe('acme')
      expect(runAsNobody(here)).toBeUndefined()
      expect(here()).toBe('acme')
    })
  })

  test('gives back what the function gives, and what it throws', async () => {
    expect(as('acme', () => 7)).toBe(7)
    expect(await as('acme', async () => 8)).toBe(8)
    expect(() =>
      as('acme', () => {
        throw new Error('mine')
      }),
    ).toThrow('mine')
    expect(here()).toBeUndefined()
  })

  test('that is set inside of another holds until that one ends', () => {
    as('acme', () => {
      as('globex', () => {
        assignTenant('initech', silent)
        expect(here()).toBe('initech')
        expect(runAttributed({ team: 'ml' }, here, silent)).toBe('initech')
      })
      expect(here()).toBe('acme')
    })
  })

  test('that is set within labels holds outside of them too: labels are no scope of their own', () => {
    as('acme', () => {
      runAttributed({ team: 'ml' }, () => assignTenant('globex', silent), silent)
      expect(here()).toBe('globex')
    })
  })

  test('may be taken up again where it was captured', async () => {
    const payer = as('acme', currentPayer, { feature: 'search' })
    expect(resumeAs(payer, currentPayer)).toEqual({ tenantId: 'acme', attribution: { feature: 'search' } })
    await resumeAs(payer, async () => {
      assignTenant('globex', silent)
      await turn()
      expect(here()).toBe('globex')
    })
    expect(resumeAs(payer, here)).toBe('acme')
  })
})

describe('labels', () => {
  test('merge from the outside in, tags one by one', () => {
    const payer = as(
      'acme',
      () =>
        runAttributed(
          { team: 'ml', tags: { plan: 'pro', step: 1 } },
          () => runAttributed({ feature: 'rank', tags: { step: 2 } }, currentPayer, silent),
          silent,
        ),
      { feature: 'search', userId: 'u1', tags: { plan: 'free', trial: true } },
    )
    expect(payer).toEqual({
      tenantId: 'acme',
      attribution: {
        feature: 'rank',
        userId: 'u1',
        team: 'ml',
        tags: { plan: 'pro', trial: true, step: 2 },
      },
    })
  })

  test('are kept by a tenant inside of them', () => {
    const payer = runAttributed({ feature: 'search' }, () => as('acme', currentPayer, { team: 'ml' }), silent)
    expect(payer.attribution).toEqual({ feature: 'search', team: 'ml' })
  })

  test('of one scope are gone with it', () => {
    runAttributed({ feature: 'search' }, silent, silent)
    expect(currentPayer()).toEqual({ tenantId: undefined, attribution: {} })
  })

  test('cannot be changed behind the back of an event', () => {
    const tags = { plan: 'pro' }
    const { attribution } = runAttributed({ tags }, currentPayer, silent)
    tags.plan = 'free'
    expect(attribution.tags).toEqual({ plan: 'pro' })
    expect(Object.isFrozen(attribution.tags)).toBe(true)
  })

  test('undefined and null are no labels, and no attribution is no fault', () => {
    const { said, complain } = complaints()
    const labels = { feature: undefined, team: null, tags: null } as unknown as Attribution
    expect(runAs('acme', labels, currentPayer, complain).attribution).toEqual({})
    expect(runAs('acme', undefined, currentPayer, complain).attribution).toEqual({})
    expect(said).toEqual([])
  })
})

describe('an id that cannot be one', () => {
  const bad: [unknown, string][] = [
    ['', 'a non-empty string, got ""'],
    [undefined, 'a non-empty string, got `undefined`'],
    [null, 'a non-empty string, got `null`'],
    [42, 'a non-empty string, got `42`'],
    [{}, 'a non-empty string, got an object'],
    ['x'.repeat(257), 'at most 256 characters, got a string of 257 characters'],
    ['x'.repeat(10_000), 'at most 256 characters, got a string of 10000 characters'],
    ['a\u0000b', 'a string without control characters, got "a\\u0000b"'],
    ['a\nb', 'a string without control characters, got "a\\nb"'],
    ['a\u009bb', 'a string without control characters, got "a\u009bb"'],
    ['a\ud800b', 'a string without control characters, got "a\\ud800b"'],
  ]
  test.each(bad)('%o is told of, and the code runs for nobody', (id, said) => {
    const { said: told, complain } = complaints()
    expect(as('globex', () => runAs(id as string, undefined, () => ['ran', here()], complain))).toEqual([
      'ran',
      undefined,
    ])
    expect(told).toEqual([`Expected \`tenantId\` to be ${said}.`])
    expect(() => checkTenantId(id)).toThrow(told[0]!)
  })

  test('set in a request takes the tenant of before away: nobody is billed by mistake', () => {
    as('acme', () => {
      assignTenant('', silent)
      expect(here()).toBeUndefined()
    })
  })

  test.each(['__proto__', 'constructor', ' ', '🐋', 'a'.repeat(256), '../..', '<script>', "'; DROP TABLE events; --"])(
    '%j is one like any other',
    (id) => {
      expect(tenantIdFault(id)).toBeUndefined()
      expect(as(id, here)).toBe(id)
    },
  )
})

describe('labels that cannot be', () => {
  test.each([
    ['feature', ''],
    ['userId', 7],
    ['team', 'x'.repeat(257)],
    ['sessionId', 'a\tb'],
    ['project', {}],
    ['costCenter', ['x']],
    ['operationId', true],
  ])('%s: %o is left out and told of, the others stand', (field, value) => {
    const { said, complain } = complaints()
    const labels = { appliesTo: 'nothing', [field]: value, tags: { plan: 'pro' } }
    expect(runAttributed(labels as Attribution, currentPayer, complain).attribution).toEqual({ tags: { plan: 'pro' } })
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(new RegExp(`^Expected \`${field}\` to be a string of 1 to 256 characters`))
  })

  test.each([null, 'search', 7, () => {}])('no object at all: %o', (labels) => {
    const { said, complain } = complaints()
    expect(runAs('acme', labels as unknown as Attribution, here, complain)).toBe('acme')
    expect(said[0]).toMatch(/^Expected `attribution` to be an object, got /)
  })

  test.each<[unknown, string]>([
    [['a'], '`tags` to be an object of strings, numbers and booleans, got an array'],
    ['plan=pro', '`tags` to be an object of strings, numbers and booleans, got "plan=pro"'],
    [{ when: new Date() }, '`tags.when` to be a string of at most 256 characters, a finite number or a boolean'],
    [{ size: Number.NaN }, '`tags.size` to be'],
    [{ note: 'x'.repeat(257) }, '`tags.note` to be'],
    [{ nothing: null }, '`tags.nothing` to be'],
    [{ ['x'.repeat(257)]: 1 }, '`tags` to be named in at most 256 characters'],
    [Object.fromEntries(Array.from({ length: 33 }, (_, i) => [i, i])), '`tags` to be at most 32 tags, got `33`'],
  ])('tags: %o', (tags, message) => {
    const { said, complain } = complaints()
    const labels = { feature: 'search', tags } as Attribution
    expect(runAttributed(labels, currentPayer, complain).attribution).toEqual({ feature: 'search' })
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(`Expected ${message}`)
    expect(() => checkTags(tags)).toThrow(said[0]!)
  })

  test('an attribution whose getter throws is told of, and the function still runs for the tenant', () => {
    const { said, complain } = complaints()
    const labels = {
      get feature(): string {
        throw new Error('a secret')
      },
      team: 'ml',
      get tags(): Attribution['tags'] {
        throw 'not even an error'
      },
    }
    expect(runAs('acme', labels, currentPayer, complain)).toEqual({ tenantId: 'acme', attribution: { team: 'ml' } })
    expect(said).toEqual([
      'The attribution `feature` could not be read: it threw an error.',
      'The attribution `tags` could not be read: it threw an error.',
    ])
  })

  test('a tag whose getter throws is told of without its words', () => {
    const { said, complain } = complaints()
    const tags = {
      get plan(): string {
        throw new Error('a secret')
      },
    }
    expect(runAs('acme', { team: 'ml', tags }, currentPayer, complain).attribution).toEqual({ team: 'ml' })
    expect(said).toEqual(['The attribution `tags` could not be read: it threw an error.'])
  })

  test('an attribution that can no longer be looked at is none', () => {
    const { said, complain } = complaints()
    const { proxy, revoke } = Proxy.revocable<Attribution>({}, {})
    revoke()
    expect(
      runAttributed({ feature: proxy as unknown as string, team: 'ml' }, currentPayer, complain).attribution,
    ).toEqual({ team: 'ml' })
    expect(runAs('acme', proxy, here, complain)).toBe('acme')
    expect(said[0]).toBe('The attribution `feature` could not be read: it threw an error.')
    expect(said).toHaveLength(9)
  })

  test('a tag may be called __proto__ without becoming one', () => {
    const tags = JSON.parse('{"__proto__": "x", "constructor": 1}') as Attribution['tags']
    const { attribution } = runAttributed(
      { tags: { plan: 'pro' } },
      () => runAttributed({ tags }, currentPayer, silent),
      silent,
    )
    expect(Object.entries(attribution.tags!)).toEqual([
      ['plan', 'pro'],
      ['__proto__', 'x'],
      ['constructor', 1],
    ])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test('whatever comes, the function runs once and its result comes back', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (id, labels) => {
        let runs = 0
        const result = runAs(id as string, labels as Attribution, () => ++runs, silent)
        expect([result, runs]).toEqual([1, 1])
        expect(runAttributed(labels as Attribution, () => 'ran', silent)).toBe('ran')
      }),
    )
  })
})

describe('HTTP requests', () => {
  beforeAll(perRequest)

  test('each has a tenant of its own, on a socket that stays open', async () => {
    let count = 0
    const server = createServer(async (incoming, response) => {
      const before = here()
      const tenant = incoming.headers['x-tenant'] as string | undefined
      if (count++ % 2 === 0) await turn()
      if (tenant !== undefined) assignTenant(tenant, silent)
      await turn()
      response.end(JSON.stringify([before, here()]))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = (tenant?: string) =>
      new Promise<unknown>((resolve, reject) => {
        const { port } = server.address() as AddressInfo
        const headers = tenant === undefined ? {} : { 'x-tenant': tenant }
        const asked = request({ host: '127.0.0.1', port, agent, headers }, async (response) => {
          let body = ''
          for await (const chunk of response) body += String(chunk)
          resolve(JSON.parse(body))
        })
        asked.on('error', reject).end()
      })
    try {
      for (let i = 0; i < 20; i++) {
        const tenant = i % 3 === 0 ? undefined : `tenant-${i}`
        expect(await ask(tenant)).toEqual([null, tenant ?? null])
      }
      // One that was made in a tenant's name is not that tenant's on the other side.
      expect(await as('acme', () => ask())).toEqual([null, null])
    } finally {
      agent.destroy()
      server.close()
    }
  })
})

describe('setTenant outside of a request', () => {
  test('jobs that a worker runs at once are each billed to their own tenant', async () => {
    const billed = await Promise.all(
      ['a', 'b', 'c'].map(async (tenant) => {
        assignTenant(tenant, silent)
        await turn()
        return here()
      }),
    )
    expect(billed).toEqual(['a', 'b', 'c'])
  })

  test('a queue loop that does not wait for its jobs bills each to the tenant it was started for', async () => {
    const work = async () => {
      await turn()
      return here()
    }
    const jobs: Promise<string | undefined>[] = []
    for (const tenant of ['j1', 'j2', 'j3']) {
      await turn()
      assignTenant(tenant, silent)
      jobs.push(work())
    }
    expect(await Promise.all(jobs)).toEqual(['j1', 'j2', 'j3'])
  })

  test('inside a forTenant it holds for the rest of that, and for nothing outside', async () => {
    await as('outer', async () => {
      await (async () => {
        await turn()
        assignTenant('inner', silent)
      })()
      expect(here()).toBe('inner')
    })
  })
})
