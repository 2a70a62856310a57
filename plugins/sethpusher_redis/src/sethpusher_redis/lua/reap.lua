-- Takes the connections of a dead node out of an address. Needs people.lua before it.
--
-- ARGV[2]  tag of the node

local dead = {[ARGV[2]] = true}
local members = redis.call('HGETALL', KEYS[1])
for place = 1, #members, 2 do
  local tag, _, _, person = parsed(members[place + 1])
  if tag == ARGV[2] then
    redis.call('HDEL', KEYS[1], members[place])
    count(person, tag, -1, dead)
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return 1
