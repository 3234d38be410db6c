// The one Lua script of the Redis limit store: every operation of the contract, each atomic. The arithmetic is that of lease.ts.

/**
 * Numbers are doubles in Lua, which are exact up to 2^53: limits above are refused when they are set. What is added to
 * a sum goes through HINCRBY, which counts in 64 bits.
 *
 * KEYS[1] is the prefix, with a hash tag: all keys are in one slot. ARGV[1] names the operation, ARGV[2] is its JSON.
 */
export const SCRIPT = `
local prefix, op = KEYS[1], ARGV[1]
local input = cjson.decode(ARGV[2])
local rules, changed, revision = prefix .. ':rules', prefix .. ':changed', prefix .. ':revision'
local function text(n) return string.format('%.0f', n) end
local function name(key) return key.per .. ' ' .. key.scope end
local function windowKey(key, id) return prefix .. ':window:' .. name(key) .. ' ' .. id end

local function ruleOf(key)
  local json = redis.call('HGET', rules, name(key))
  if not json then return nil end
  local rule = cjson.decode(json)
  if rule.removed then return nil end
  return rule
end

local function put(key, rule)
  local next = redis.call('INCR', revision)
  redis.call('HSET', rules, name(key), cjson.encode(rule))
  redis.call('ZADD', changed, next, name(key))
end

local function sums(key, id)
  local row = redis.call('HMGET', windowKey(key, id), 'committed', 'escrow', 'suspense', 'warned')
  return { committed = tonumber(row[1] or 0), escrow = tonumber(row[2] or 0), suspense = tonumber(row[3] or 0), warned = tonumber(row[4] or 0), isThere = row[1] and true or false }
end

local function withEarlier(key, own)
  local all = { committed = own.committed, escrow = own.escrow, suspense = own.suspense }
  for _, id in ipairs(key.earlier) do
    local slot = sums(key, id)
    all.committed = all.committed + slot.committed
    all.escrow = all.escrow + slot.escrow
    all.suspense = all.suspense + slot.suspense
  end
  return all
end

local function rest(lease)
  local r = lease.g - lease.s - lease.r
  if lease.final or r < 0 then return 0 end
  return r
end

local function read(packed)
  if not packed then return nil end
  local g, s, r, seq, last, exp, expired, final = string.match(packed, '(%-?%d+) (%-?%d+) (%-?%d+) (%d+) (%d+) (%d+) (%d) (%d)')
  return { g = tonumber(g), s = tonumber(s), r = tonumber(r), seq = tonumber(seq), last = tonumber(last), exp = tonumber(exp), expired = expired == '1', final = final == '1' }
end

local function pack(l)
  return table.concat({ text(l.g), text(l.s), text(l.r), text(l.seq), text(l.last), text(l.exp), l.expired and '1' or '0', l.final and '1' or '0' }, ' ')
end

local function step(q, now)
  local rule = ruleOf(q)
  if not rule then return cjson.null end
  local limit = tonumber(rule.limit)
  local window = windowKey(q, q.windowId)
  local leases, due = window .. ' leases', window .. ' due'
  if q.ifKnown and redis.call('HEXISTS', leases, q.leaseId) == 0 then return cjson.null end
  local own = sums(q, q.windowId)
  if not own.isThere then
    own.committed = tonumber(q.opening)
    redis.call('HSET', window, 'committed', q.opening)
    redis.call('SADD', prefix .. ':windows:' .. name(q), q.windowId)
  end
  local committed, escrow, suspense = own.committed, own.escrow, own.suspense
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 16)) do
    local lease = read(redis.call('HGET', leases, id))
    if lease then
      escrow = escrow - rest(lease)
      suspense = suspense + rest(lease)
      lease.expired = true
      redis.call('HSET', leases, id, pack(lease))
    end
    redis.call('ZREM', due, id)
  end
  local lease = read(redis.call('HGET', leases, q.leaseId))
  if not lease then
    lease = { g = tonumber(q.granted), s = 0, r = 0, seq = 0, last = 0, exp = 0, expired = false, final = false }
    escrow = escrow + lease.g
  end
  if lease.expired then suspense = suspense - rest(lease) else escrow = escrow - rest(lease) end
  lease.expired = false
  lease.exp = now + q.ttlMs
  local spent, returned = tonumber(q.spent), tonumber(q.returned)
  if spent > lease.s then
    committed = committed + spent - lease.s
    lease.s = spent
  end
  if returned > lease.r then lease.r = returned end
  local others = withEarlier(q, { committed = 0, escrow = 0, suspense = 0 })
  local free = limit - committed - escrow - suspense - others.committed - others.escrow - others.suspense - rest(lease)
  local granted = 0
  if q.seq > lease.seq then
    lease.seq = q.seq
    lease.last = 0
    local need = tonumber(q.need)
    if need > 0 and not lease.final then
      local over = lease.s + lease.r - lease.g
      if over > 0 then free = free + over end
      if free >= need then
        redis.call('ZREM', due, q.leaseId)
        local live = redis.call('ZCARD', due) + 1
        lease.last = math.max(need, math.min(tonumber(q.want), math.floor(free / (2 * live))))
      elseif free >= tonumber(q.least) then
        lease.last = free
      end
      lease.g = lease.g + lease.last
    end
    granted = lease.last
  elseif q.seq == lease.seq then
    granted = lease.last
  end
  if q.final then lease.final = true end
  escrow = escrow + rest(lease)
  redis.call('HSET', leases, q.leaseId, pack(lease))
  if lease.final then redis.call('ZREM', due, q.leaseId) else redis.call('ZADD', due, lease.exp, q.leaseId) end
  redis.call('HINCRBY', window, 'committed', text(committed - own.committed))
  redis.call('HSET', window, 'escrow', text(escrow), 'suspense', text(suspense), 'warned', text(math.max(own.warned, q.warned)))
  if q.endsAt and q.endsAt ~= cjson.null then
    local at = text(q.endsAt + 604800000)
    for _, key in ipairs({ window, leases, due }) do redis.call('PEXPIREAT', key, at) end
  end
  return { granted = text(granted), isOver = lease.final, limit = rule.limit, committed = text(committed + others.committed), escrow = text(escrow + others.escrow), suspense = text(suspense + others.suspense), warned = own.warned }
end

if op == 'lease' then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local answers = {}
  for at, q in ipairs(input) do answers[at] = step(q, now) end
  return cjson.encode(answers)
end

if op == 'accounts' then
  local answers = {}
  for at, key in ipairs(input) do
    local rule = ruleOf(key)
    answers[at] = cjson.null
    if rule then
      local own = sums(key, key.windowId)
      local all = withEarlier(key, own)
      answers[at] = { limit = rule.limit, committed = text(all.committed), escrow = text(all.escrow), suspense = text(all.suspense), warned = own.warned }
    end
  end
  return cjson.encode(answers)
end

if op == 'set' then
  put(input, input)
  return '{}'
end

if op == 'remove' then
  local rule = ruleOf(input)
  if rule then
    rule.removed = true
    put(input, rule)
    local windows = prefix .. ':windows:' .. name(input)
    for _, id in ipairs(redis.call('SMEMBERS', windows)) do
      local window = windowKey(input, id)
      redis.call('DEL', window, window .. ' leases', window .. ' due')
    end
    redis.call('DEL', windows)
  end
  return '{}'
end

if op == 'changes' then
  local answer = { tonumber(redis.call('GET', revision) or 0) }
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', changed, '(' .. text(input.since), '+inf')) do
    local json = redis.call('HGET', rules, member)
    if json then table.insert(answer, cjson.decode(json)) end
  end
  return cjson.encode(answer)
end

return redis.call('INFO', 'memory')
`
