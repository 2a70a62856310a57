-- A node's canary. It writes, so that a server that has become a replica, and carries nothing any more, refuses it.
--
-- KEYS[1]  a key of no other use
-- ARGV[2]  pub/sub channel of the node   ARGV[3]  token

redis.call('SET', KEYS[1], ARGV[3], 'PX', 60000)
return redis.call('PUBLISH', ARGV[2], '\n' .. ARGV[3])
