-- Reads the recent tombstones that a process does not know yet. The list begins with its state: R (ready) or L (being
-- loaded) and 16 bytes that name the loading.
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2 the loading the process knows or empty, 3 how many entries of it the process knows
-- Returns {the loading, entries from there on}; from the first one where the loading is another one; {''} where the
-- list is missing or not ready.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local head = redis.call('lindex', KEYS[2], 0)
if not head or string.sub(head, 1, 1) ~= 'R' then
  return { '' }
end
local loading = string.sub(head, 2)
local known = loading == ARGV[2] and tonumber(ARGV[3]) or 0
if redis.call('llen', KEYS[2]) == known + 1 then
  return { loading }
end
local entries = redis.call('lrange', KEYS[2], known + 1, -1)
table.insert(entries, 1, loading)
return entries
