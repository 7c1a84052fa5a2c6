-- Reads a list or a value as it is, for those who check what is stored. Unlike a reader it does not prolong its life.
-- KEYS: 1 the bucket's epoch, 2 the list or value
-- ARGV: 1 the epoch
-- Returns its entries, or the value as the only one; none where it is missing.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local kind = redis.call('type', KEYS[2]).ok
if kind == 'list' then
  return redis.call('lrange', KEYS[2], 0, -1)
end
if kind == 'string' then
  return { redis.call('get', KEYS[2]) }
end
return {}
