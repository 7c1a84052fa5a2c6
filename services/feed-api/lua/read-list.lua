-- Reads a slice of a list with a floor.
--
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2 only ids below this one (16 bytes) or empty, 3 how many, 4 seconds the list stays once read
-- Returns {state ('missing', 'building' or 'ready'), ids one after the other, floor, entries in the list}
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local id_bytes = 16
local key = KEYS[2]
local sentinel = redis.call('lindex', key, -1)
if not sentinel then
  return { 'missing', '', '', 0 }
end
if string.sub(sentinel, 1, 1) == 'B' then
  return { 'building', '', '', 0 }
end
redis.call('expire', key, ARGV[4])
local length = redis.call('llen', key) - 1
local before = ARGV[2]
local count = tonumber(ARGV[3])
local from = 0
if before ~= '' then
  -- The list is sorted, newest first: look for the first id below.
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('lindex', key, middle) < before then
      high = middle
    else
      low = middle + 1
    end
  end
  from = low
end
local ids = ''
if count > 0 and from < length then
  ids = table.concat(redis.call('lrange', key, from, math.min(from + count, length) - 1))
end
return { 'ready', ids, string.sub(sentinel, 2, id_bytes + 1), length }
