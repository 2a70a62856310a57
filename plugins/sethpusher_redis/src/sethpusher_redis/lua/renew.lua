-- Extends the lease of a node.
--
-- KEYS[1]  sorted set: tags of nodes by the end of their lease in ms
-- ARGV[2]  tag   ARGV[3]  lease in ms   ARGV[4]  "1" for a node that is new
-- Gives 1; 0 if the lease had ended, and then does nothing.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[4] ~= '1' then
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[2])
  if not ends or tonumber(ends) < now then return 0 end
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[2])
return 1
