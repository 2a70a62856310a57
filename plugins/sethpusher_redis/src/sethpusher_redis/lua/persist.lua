-- Appends publications to a stream, each once for its id.
--
-- KEYS[1]  stream   KEYS[2]  sorted set: ids that are known, by when they came, in ms
-- ARGV[2]  how many the stream keeps, about   ARGV[3]  ms for which an id is known
-- ARGV[4...]  for each: id, "channel" or "user", name, sender, message

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.format('%.0f', now - tonumber(ARGV[3])))
for place = 4, #ARGV, 5 do
  if redis.call('ZADD', KEYS[2], 'NX', string.format('%.0f', now), ARGV[place]) == 1 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[place], ARGV[place + 1], ARGV[place + 2],
      'sender', ARGV[place + 3], 'message', ARGV[place + 4])
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[2]))
return 1
