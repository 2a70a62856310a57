-- Gives the tags of nodes whose lease has ended, those that died first before the others.
--
-- KEYS[1]  see renew.lua   ARGV[2]  how many at the most

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
