-- Takes a publication without history, once for its idempotency key.
--
-- KEYS[1]  where the result is
-- ARGV[2]  pub/sub channel   ARGV[3]  payload   ARGV[4]  ms that the result is kept
-- Gives "", or "again " and the earlier result.

local result = redis.call('GET', KEYS[1])
if result then return 'again ' .. result end
redis.call('SET', KEYS[1], '', 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[2], '\n' .. ARGV[3])
return ''
