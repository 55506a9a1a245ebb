-- The run's stream: the one place that changes it. Atomic; all keys of a run share a hash tag.
-- KEYS: meta (hash), log (stream), newest (hash), parked (hash).
-- ARGV[1]: msgpack of the call; ARGV[2..]: msgpack of the records (signalbox_core.streams.record.Record).
-- Returns { verdict, epoch, top, has_gap, healed, outcome... }.
local META, LOG, NEWEST, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call = cmsgpack.unpack(ARGV[1])
local state = redis.call('HMGET', META, 'epoch', 'top', 'tenant', 'terminal', 'gap_since')
local epoch, top, tenant, terminal, gap_since = state[1], tonumber(state[2] or '0'), state[3], state[4], state[5]
local old_top = top

local function tell(record)
  local shown = epoch or '-'
  redis.call('PUBLISH', call.channel, shown .. ' ' .. record.sequence .. ' ' .. record.name .. '\n' .. record.data)
end

local function let_go(ttl_ms)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl_ms) end
end

local function begin(new_epoch, new_top)
  epoch, top, tenant, terminal, gap_since = new_epoch, new_top, call.tenant, false, false
  redis.call('HSET', META, 'epoch', epoch, 'top', top, 'tenant', tenant)
end

local function keep(record)
  redis.call('XADD', LOG, 'MAXLEN', '~', call.max_frames, record.sequence .. '-0', 'n', record.name, 'd', record.data)
  if record.field ~= '' then redis.call('HSET', NEWEST, record.field, record.data) end
  if #record.marks > 0 then redis.call('HSET', META, unpack(record.marks)) end
  top = record.sequence
  redis.call('HSET', META, 'top', top)
  tell(record)
  if record.terminal then
    terminal = record.name
    redis.call('DEL', PARKED)
    let_go(call.ttl_ms)
  end
end

local function drain()
  while not terminal do
    local waiting = redis.call('HGET', PARKED, tostring(top + 1))
    if not waiting then return end
    redis.call('HDEL', PARKED, tostring(top + 1))
    keep(cmsgpack.unpack(waiting))
  end
end

local function append(packed)
  local record = cmsgpack.unpack(packed)
  -- Lua has doubles only: beyond 53 bits two sequences could be one.
  if terminal or record.sequence <= top or record.sequence > 9007199254740991 then return 'dropped' end
  if record.sequence == top + 1 then
    keep(record)
    drain()
    return 'appended'
  end
  -- A full shelf loses the event: the gap before it is repaired from the workflow's snapshot, which has it.
  if redis.call('HLEN', PARKED) < call.max_parked then redis.call('HSET', PARKED, tostring(record.sequence), packed) end
  return 'parked'
end

local function show(packed)
  local record = cmsgpack.unpack(packed)
  if terminal then return 'dropped' end
  if record.guard ~= '' and redis.call('HGET', META, record.guard) == 'ended' then return 'dropped' end
  -- Without a stream nothing is kept: nobody would ever remove it.
  if epoch and record.field ~= '' then redis.call('HSET', NEWEST, record.field, record.data) end
  tell(record)
  return 'appended'
end

local function note_gap()
  local has_gap = redis.call('HLEN', PARKED) > 0
  local healed = gap_since and not has_gap
  if has_gap and not (gap_since and top == old_top) then
    local now = redis.call('TIME')
    redis.call('HSET', META, 'gap_since', now[1] * 1000 + math.floor(now[2] / 1000))
  elseif healed then
    redis.call('HDEL', META, 'gap_since')
  end
  return has_gap and 1 or 0, healed and 1 or 0
end

local function rebuild()
  redis.call('DEL', META, LOG, NEWEST)
  begin(call.epoch, call.top)
  redis.call('HSET', META, unpack(call.marks))
  redis.call('HSET', NEWEST, 'base', call.base)
  for _, sequence in ipairs(redis.call('HKEYS', PARKED)) do
    if tonumber(sequence) <= top or call.terminal then redis.call('HDEL', PARKED, sequence) end
  end
  tell({ sequence = 0, name = 'stream.rebuilt', data = '{}' })
  if call.terminal then
    terminal = 'rebuilt'
    let_go(call.ttl_ms)
  else
    drain()
  end
end

if call.mode == 'rebuild' then
  if call.replaces and (epoch or '') ~= call.replaces then return { 'other', epoch or '', top, 0, 0 } end
  rebuild()
  local has_gap, healed = note_gap()
  return { 'done', epoch, top, has_gap, healed }
end

if epoch and tenant ~= call.tenant then return { 'foreign', epoch, top, 0, 0 } end
if not epoch and call.mode == 'append' then begin(call.epoch, 0) end
local act = call.mode == 'append' and append or show
local outcomes = {}
for index = 2, #ARGV do outcomes[#outcomes + 1] = act(ARGV[index]) end
local has_gap, healed = 0, 0
if call.mode == 'append' then has_gap, healed = note_gap() end
return { 'done', epoch or '', top, has_gap, healed, unpack(outcomes) }
