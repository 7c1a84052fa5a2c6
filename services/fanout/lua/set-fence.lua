-- Tells a bucket the fence of a partition; never lowers it (I2).
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences
-- ARGV: 1 the epoch, 2 the partition, 3 its fence, 4 seconds the fences stay (whoever misses one sets it again)
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local current = redis.call('hget', KEYS[2], ARGV[2])
if current and tonumber(current) > tonumber(ARGV[3]) then
  return redis.error_reply('FENCED another consumer owns the partition')
end
redis.call('hset', KEYS[2], ARGV[2], ARGV[3])
redis.call('expire', KEYS[2], ARGV[4])
return 1
