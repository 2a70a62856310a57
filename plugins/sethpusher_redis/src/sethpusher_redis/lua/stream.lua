-- What the scripts about a channel's history share.
--
-- KEYS[1]  hash: e epoch, n offset of the newest, r run id of the server that e began under, b bytes ever appended,
--          a age in ms, c earlier epochs and the offset at which each ended, newest first: "e2:95 e1:12"
-- KEYS[2]  list of what is kept, oldest first: "<born ms> <bytes appended before it>\n<payload>"
-- ARGV[1]  run id of the server, as the caller read it when it connected
--
-- A server that was restarted, or a replica that took its place, may have lost the newest publications; it would give
-- their offsets again. So a stream that is touched under another run id gets a new epoch, and remembers where the old
-- one ended: whoever knows a position of the old epoch has seen nothing of what comes after that.

local OVERHEAD = 200  -- bytes that a stored publication takes beside its payload
local EPOCHS = 8      -- earlier epochs that are remembered
local GRACE = 600000  -- ms that an epoch outlives what is kept; nodes that are subscribed renew it well before

local function whole(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function new_epoch()
  local time = redis.call('TIME')
  return string.sub(redis.sha1hex(KEYS[1] .. ARGV[1] .. time[1] .. ' ' .. time[2]), 1, 12)
end

-- Gives the stream; begins it if it is not there, or not under this server.
local function open()
  local found = redis.call('HMGET', KEYS[1], 'e', 'n', 'r', 'b', 'a', 'c')
  local stream = {
    epoch = found[1], top = tonumber(found[2] or 0), bytes = tonumber(found[4] or 0),
    age = tonumber(found[5] or 0), earlier = found[6] or ''
  }
  if not stream.epoch then
    stream.epoch = new_epoch()
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[1], 'e', stream.epoch, 'n', '0', 'r', ARGV[1])
  elseif found[3] ~= ARGV[1] then
    local kept = {stream.epoch .. ':' .. whole(stream.top)}
    for one in string.gmatch(stream.earlier, '%S+') do
      if #kept < EPOCHS then kept[#kept + 1] = one end
    end
    stream.epoch, stream.earlier = new_epoch(), table.concat(kept, ' ')
    redis.call('HSET', KEYS[1], 'e', stream.epoch, 'r', ARGV[1], 'c', stream.earlier)
  end
  return stream
end

-- Drops what is beyond the bounds, and gives how many are kept. A bound of nil does not hold.
local function trim(stream, now, age, count, bytes)
  local length = redis.call('LLEN', KEYS[2])
  if count and length > count then
    redis.call('LTRIM', KEYS[2], -count, -1)
    length = count
  end
  while length > 0 do
    local born, before = string.match(redis.call('LINDEX', KEYS[2], 0), '^(%d+) (%d+)\n')
    local fits = not bytes or stream.bytes - tonumber(before) <= bytes
    if tonumber(born) >= now - age and fits then break end
    redis.call('LPOP', KEYS[2])
    length = length - 1
  end
  return length
end
