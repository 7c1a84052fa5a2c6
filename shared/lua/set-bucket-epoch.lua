-- Raises the epoch of a bucket; never lowers it.
-- KEYS: 1 the bucket's epoch
-- ARGV: 1 the epoch
local current = redis.call('get', KEYS[1])
if not current or tonumber(current) < tonumber(ARGV[1]) then
  redis.call('set', KEYS[1], ARGV[1])
end
return 1
