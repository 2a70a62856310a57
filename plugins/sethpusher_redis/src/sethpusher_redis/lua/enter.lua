-- Notes that a connection has come into an address, or has gone. Needs people.lua before it.
--
-- ARGV[2]  id of the connection   ARGV[3]  "1" to enter, "0" to leave   ARGV[4]  tag of its node
-- ARGV[5]  person   ARGV[6]  info   ARGV[7...]  tags of dead nodes
-- Gives 1 if it is the first of its person, or was the last; 0 if not, or if it was not in.

local dead = {}
for place = 7, #ARGV do dead[ARGV[place]] = true end
local before = redis.call('HGET', KEYS[1], ARGV[2])
local left, order = 0, nil
if before then
  local tag, number, _, person = parsed(before)
  left = count(person, tag, -1, dead) == 0 and 1 or 0
  redis.call('HDEL', KEYS[1], ARGV[2])
  if person == ARGV[5] then order = number end
end
if ARGV[3] == '0' then
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
  return left
end
if not order then order = redis.call('HINCRBY', KEYS[2], 'order', 1) end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4] .. '\n' .. order .. '\n' .. #ARGV[6] .. '\n' .. ARGV[6] .. ARGV[5])
return count(ARGV[5], ARGV[4], 1, dead) == 1 and 1 or 0
