-- Makes a note for all nodes, or takes it back. ARGV: 2 the note's field, 3 the note to take back, 4 the new note; the
-- empty string for neither; 5 TTL in ms.
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
elseif redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then
  redis.call('HDEL', KEYS[1], ARGV[2])
end
return {'done'}
