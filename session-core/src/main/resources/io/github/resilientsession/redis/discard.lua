-- Removes a copy that is stale or cannot be read, unless another has taken its place. ARGV: 2 the version it had, 3 the
-- mark it had.
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'none' then
  return {'absent'}
end
if type == 'hash' then
  local found = mismatch(ARGV[2], ARGV[3])
  if found then
    return found
  end
end
redis.call('UNLINK', KEYS[1])
return {'done'}
