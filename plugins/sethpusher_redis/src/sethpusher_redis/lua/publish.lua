-- Takes a publication with history: counts it, keeps it, announces it. Needs stream.lua before it.
--
-- KEYS[3]  if there is an idempotency key: where its result is
-- ARGV[2]  pub/sub channel   ARGV[3]  payload
-- ARGV[4]  count   ARGV[5]  age in ms   ARGV[6]  bytes, 0 for any   ARGV[7]  ms that the result is kept
-- Gives "<epoch> <offset>"; with "again " before it, it is the result of an earlier one, and nothing was done.

if KEYS[3] then
  local result = redis.call('GET', KEYS[3])
  if result then return 'again ' .. result end
end
local stream, now = open(), now_ms()
local payload, age, bytes = ARGV[3], tonumber(ARGV[5]), tonumber(ARGV[6])
local before = stream.bytes
stream.top, stream.bytes = stream.top + 1, before + #payload + OVERHEAD
local position = stream.epoch .. ' ' .. whole(stream.top)
redis.call('HSET', KEYS[1], 'n', whole(stream.top), 'b', whole(stream.bytes), 'a', ARGV[5])
redis.call('RPUSH', KEYS[2], whole(now) .. ' ' .. whole(before) .. '\n' .. payload)
trim(stream, now, age, tonumber(ARGV[4]), bytes > 0 and bytes or nil)
redis.call('PEXPIRE', KEYS[2], math.max(age, 1))
redis.call('PEXPIRE', KEYS[1], age + GRACE)
if KEYS[3] then redis.call('SET', KEYS[3], position, 'PX', ARGV[7]) end
redis.call('PUBLISH', ARGV[2], position .. '\n' .. payload)
return position
