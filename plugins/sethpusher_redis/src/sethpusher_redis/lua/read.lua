-- Reads a stream. Needs stream.lua before it.
--
-- ARGV[2]  epoch, empty to read from the end   ARGV[3]  offset: only what is newer (in reverse: older)
-- ARGV[4]  how many at the most   ARGV[5]  "1" to begin with the newest
-- Gives epoch, offset of the newest, whether the asker's position is known (1 or 0), that position in this epoch,
-- offset of the oldest that is kept, whether no earlier epoch is remembered (1 or 0), and what was asked for: payloads
-- as they are kept.

local stream = open()
local length = trim(stream, now_ms(), stream.age)
redis.call('PEXPIRE', KEYS[1], stream.age + GRACE)
local first = stream.top - length + 1
local reverse, limit = ARGV[5] == '1', tonumber(ARGV[4])
local known, since = 1, tonumber(ARGV[3])
if ARGV[2] == '' then
  since = reverse and stream.top + 1 or first - 1
elseif ARGV[2] ~= stream.epoch then
  known = 0
  for epoch, ended in string.gmatch(stream.earlier, '(%S+):(%d+)') do
    if epoch == ARGV[2] then known, since = 1, math.min(since, tonumber(ended)) end
  end
elseif since > stream.top then
  known = 0
end
local answer = {stream.epoch, stream.top, known, since, first, stream.earlier == '' and 1 or 0}
if known == 0 or limit == 0 then return answer end
local from, to
if reverse then
  to = math.min(since - 1, stream.top)
  from = math.max(to - limit + 1, first)
else
  from = math.max(since + 1, first)
  to = math.min(from + limit - 1, stream.top)
end
if from > to then return answer end
local kept = redis.call('LRANGE', KEYS[2], from - first, to - first)
for place = 1, #kept do
  answer[6 + place] = kept[reverse and #kept + 1 - place or place]
end
return answer
