-- Included before scripts that write as the owner of a partition (I2): they write nothing in another cache epoch, and nothing
-- once the partition has another owner.
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences
-- ARGV: 1 the epoch, 2 the partition, 3 its fence
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local fence = redis.call('hget', KEYS[2], ARGV[2])
if not fence or tonumber(fence) < tonumber(ARGV[3]) then
  return redis.error_reply('NOFENCE the fence of the partition is not in the cache')
end
if fence ~= ARGV[3] then
  return redis.error_reply('FENCED another consumer owns the partition')
end
