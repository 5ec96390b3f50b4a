-- Stands before every script. ARGV[1] is the deadline by Redis's own clock, in milliseconds since the epoch:
-- a command that its sender has given up on may still run much later, and must then do nothing.
local now = redis.call('TIME')
if now[1] * 1000 + math.floor(now[2] / 1000) > tonumber(ARGV[1]) then
  return {'late'}
end

-- Sets the fields in ARGV[first] to ARGV[last], in portions that fit on Lua's stack.
local function hset(first, last)
  for i = first, last, 1000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, last)))
  end
end

-- What to answer if the copy is not the expected one; nil and its last access if it is. A copy is known by its version
-- and by the mark of the writes that only it has. A copy that the durable store does not know has no version, a
-- persisted one no mark: the empty string stands for both.
local function mismatch(version, mark)
  local found = redis.call('HMGET', KEYS[1], 'version', 'unpersisted', 'lastAccessedTime')
  if not found[1] and not found[3] and redis.call('EXISTS', KEYS[1]) == 0 then
    return {'absent'}
  end
  local foundVersion, foundMark = found[1] or '', found[2] or ''
  if foundVersion ~= version or foundMark ~= mark then
    return {'other', foundVersion, foundMark}
  end
  return nil, found[3] or ''
end
