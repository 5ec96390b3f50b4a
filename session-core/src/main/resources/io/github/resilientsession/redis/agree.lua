-- Notes that no copy in Redis is older than the durable store. ARGV: 2 the incarnation that Redis was while that was made
-- sure of, 3 a beat higher than any before, 4 TTL in ms.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'beat', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'done'}
