-- Who is in an address.
--
-- KEYS[1]  hash: id of a connection -> "<tag of its node>\n<order of coming>\n<bytes of info>\n<info><person>", where
--          person is "s" and the subscriber_id, or "n" for an anonymous one
-- KEYS[2]  hash: person -> "<tag>=<connections> ..."; and "order", the last number given

-- Takes such a value apart: tag, order, info, person.
local function parsed(value)
  local tag, order, length, start = string.match(value, '^(%w*)\n(%d+)\n(%d+)\n()')
  local finish = start + tonumber(length)
  return tag, order, string.sub(value, start, finish - 1), string.sub(value, finish)
end

-- Changes how many connections a person has at a node, and gives how many at all nodes that are not dead.
-- An anonymous connection is a person of its own.
local function count(person, node, change, dead)
  if person == 'n' then return change > 0 and 1 or 0 end
  local kept, total, found = {}, 0, false
  for tag, number in string.gmatch(redis.call('HGET', KEYS[2], person) or '', '(%w+)=(%d+)') do
    number = tonumber(number)
    if tag == node then number, found = number + change, true end
    if number > 0 and not dead[tag] then
      kept[#kept + 1] = tag .. '=' .. number
      total = total + number
    end
  end
  if not found and change > 0 then
    kept[#kept + 1] = node .. '=' .. change
    total = total + change
  end
  if #kept > 0 then
    redis.call('HSET', KEYS[2], person, table.concat(kept, ' '))
  else
    redis.call('HDEL', KEYS[2], person)
  end
  return total
end
