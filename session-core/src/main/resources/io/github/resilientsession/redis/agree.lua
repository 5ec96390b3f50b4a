-- Notes that no copy in Redis is older than the durable store, and that those which it has lost are to be put back.
-- ARGV: 2 the incarnation that Redis was while that was made sure of, 3 a beat higher than any before, 4 TTL in ms,
-- 5 what was noted before. Other fields stay. PEXPIRE comes first, since a Redis that is out of memory refuses a script
-- only if its first write takes memory.
if (redis.call('HGET', KEYS[1], 'incarnation') or '') ~= ARGV[5] then
  return {'other'}
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'beat', ARGV[3], 'refill', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'done'}
