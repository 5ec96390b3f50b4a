-- Notes that there are copies with unpersisted writes, or takes that note back. ARGV: 2 the note to take back, 3 the new
-- note; the empty string for neither; 4 TTL in ms.
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'unpersisted', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
elseif redis.call('HGET', KEYS[1], 'unpersisted') == ARGV[2] then
  redis.call('HDEL', KEYS[1], 'unpersisted')
end
return {'done'}
