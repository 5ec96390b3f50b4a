-- Puts a whole copy or tombstone. ARGV: 2 condition ('absent', 'version' or 'always'), 3 expected version, 4 TTL in ms;
-- from 5 on the fields and values.
if ARGV[2] ~= 'always' and redis.call('EXISTS', KEYS[1]) == 1 then
  local version = redis.call('HGET', KEYS[1], 'version') or ''
  if ARGV[2] == 'absent' or version ~= ARGV[3] then
    return {'other', version}
  end
elseif ARGV[2] == 'version' then
  return {'absent'}
end
-- Without a DEL before it, HSET is refused when Redis is out of memory: right for a rebuild, which can wait. What takes
-- the place of something, or ends a session, cannot.
if ARGV[2] ~= 'absent' then
  redis.call('DEL', KEYS[1])
end
hset(5, #ARGV)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'done'}
