-- Removes ids from lists of one bucket, after a delete or an unfollow. Floors stay: a list without the ids is still
-- complete. One that is being built starts over, because its builder may have read the ids before they went.
--
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences, 3.. lists
-- ARGV: 1 the epoch, 2 the partition, 3 its fence,
--       4 for each list: the number of its ids (2 bytes, big endian), then the ids
-- Returns how many entries were removed.
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

local id_bytes = 16
local packed = ARGV[4]
local removed = 0
local at = 1
for k = 3, #KEYS do
  local key = KEYS[k]
  local high, low = string.byte(packed, at, at + 1)
  local count = high * 256 + low
  at = at + 2
  local sentinel = redis.call('lindex', key, -1)
  if sentinel and string.sub(sentinel, 1, 1) == 'B' then
    redis.call('unlink', key)
  elseif sentinel then
    for i = 0, count - 1 do
      removed = removed + redis.call('lrem', key, 1, string.sub(packed, at + i * id_bytes, at + (i + 1) * id_bytes - 1))
    end
  end
  at = at + count * id_bytes
end
return removed
