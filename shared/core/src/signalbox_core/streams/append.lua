-- Writes a run's stream; nothing else changes it. Atomic: all keys of a run share a hash tag.
-- KEYS: meta (hash), log (stream), newest (hash), parked (hash).
-- ARGV[1]: msgpack of the call; ARGV[2..]: msgpack of the records (signalbox_core.streams.record.Record).
-- Returns { status, epoch, top, has_gap, healed, outcome... }.
local META, LOG, NEWEST, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call = cmsgpack.unpack(ARGV[1])
local state = redis.call('HMGET', META, 'epoch', 'top', 'tenant', 'terminal', 'gap_since')
local epoch, top, tenant = state[1], tonumber(state[2] or '0'), state[3]
local terminal, gap_since = state[4], state[5]
local old_top = top

-- Lua writes a number of more than 14 digits with an exponent.
local function digits(number) return string.format('%.0f', number) end

local function publish(record)
  local head = (epoch or '-') .. ' ' .. digits(record.sequence) .. ' ' .. record.name
  redis.call('PUBLISH', call.channel, head .. '\n' .. record.data)
end

local function expire_keys(ttl_ms)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl_ms) end
end

local function create_stream(new_epoch, new_top)
  epoch, top, tenant, terminal, gap_since = new_epoch, new_top, call.tenant, false, false
  redis.call('HSET', META, 'epoch', epoch, 'top', digits(top), 'tenant', tenant)
end

-- Lua's stack limits how many values `unpack` returns.
local function set_marks(marks)
  for first = 1, #marks, 1000 do
    redis.call('HSET', META, unpack(marks, first, math.min(first + 999, #marks)))
  end
end

local function drop_parked()
  for _, sequence in ipairs(redis.call('HKEYS', PARKED)) do
    if tonumber(sequence) <= top or call.terminal then redis.call('HDEL', PARKED, sequence) end
  end
end

local function append_next(record)
  local id = digits(record.sequence) .. '-0'
  redis.call('XADD', LOG, 'MAXLEN', '~', call.max_frames, id, 'n', record.name, 'd', record.data)
  if record.field ~= '' then redis.call('HSET', NEWEST, record.field, record.data) end
  set_marks(record.marks)
  top = record.sequence
  redis.call('HSET', META, 'top', digits(top))
  publish(record)
  if record.terminal then
    terminal = record.name
    redis.call('DEL', PARKED)
    expire_keys(call.ttl_ms)
  end
end

local function append_parked()
  while not terminal do
    local packed = redis.call('HGET', PARKED, digits(top + 1))
    if not packed then return end
    redis.call('HDEL', PARKED, digits(top + 1))
    append_next(cmsgpack.unpack(packed))
  end
end

local function begin(record)
  redis.call('DEL', META, LOG, NEWEST)
  create_stream(call.epoch, record.sequence - 1)
  drop_parked()
  if old_top > 0 then publish({ sequence = 0, name = 'stream.rebuilt', data = '{}' }) end
end

-- The run of a pipeline and a plain workflow may have the same id: the stream stays with the pipeline's run.
-- A plain workflow that published nothing has small numbers too, after the gateway ended its stream.
local function is_foreign(record)
  if top == 0 or top >= call.first_plain or record.sequence < call.first_plain then return false end
  return not redis.call('HGET', META, 'plain')
end

local function append(packed)
  local record = cmsgpack.unpack(packed)
  if is_foreign(record) then return 'dropped' end
  if record.begins and record.sequence > top then begin(record) end
  -- Its number skips ahead, so it is parked, and the gap makes the reconciler rebuild the stream.
  if terminal and record.reopens and record.sequence > top then
    terminal = false
    redis.call('HDEL', META, 'terminal')
  end
  -- Lua's numbers are doubles: above 2^53 - 1, different sequence numbers may compare equal.
  if terminal or record.sequence <= top or record.sequence > 9007199254740991 then return 'dropped' end
  if record.sequence == top + 1 then
    append_next(record)
    append_parked()
    return 'appended'
  end
  -- When the parking buffer is full the event is dropped. Its gap remains, and closing the gap rebuilds the
  -- stream from the workflow's snapshot, which includes the event.
  if redis.call('HLEN', PARKED) < call.max_parked then
    redis.call('HSET', PARKED, digits(record.sequence), packed)
  end
  return 'parked'
end

local function publish_live(packed)
  local record = cmsgpack.unpack(packed)
  if terminal then return 'dropped' end
  if record.guard ~= '' and redis.call('HGET', META, record.guard) == 'ended' then return 'dropped' end
  -- Stored only if the stream exists; otherwise nothing would ever delete or expire it.
  if epoch and record.field ~= '' then redis.call('HSET', NEWEST, record.field, record.data) end
  publish(record)
  return 'appended'
end

local function update_gap()
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
  create_stream(call.epoch, call.top)
  set_marks(call.marks)
  redis.call('HSET', NEWEST, 'base', call.base)
  drop_parked()
  publish({ sequence = 0, name = 'stream.rebuilt', data = '{}' })
  if call.terminal then
    terminal = 'rebuilt'
    expire_keys(call.ttl_ms)
  else
    append_parked()
  end
end

if call.mode == 'rebuild' then
  if call.replaces and (epoch or '') ~= call.replaces then
    return { 'other_epoch', epoch or '', top, 0, 0 }
  end
  rebuild()
  local has_gap, healed = update_gap()
  return { 'done', epoch, top, has_gap, healed }
end

if epoch and tenant ~= call.tenant then return { 'other_tenant', epoch, top, 0, 0 } end
if not epoch and call.mode == 'append' then create_stream(call.epoch, 0) end
local write = call.mode == 'append' and append or publish_live
local outcomes = {}
for index = 2, #ARGV do outcomes[#outcomes + 1] = write(ARGV[index]) end
local has_gap, healed = 0, 0
if call.mode == 'append' then has_gap, healed = update_gap() end
return { 'done', epoch or '', top, has_gap, healed, unpack(outcomes) }
