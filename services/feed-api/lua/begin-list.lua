-- Begins to build a list: unreadable from now on, but it takes every delivery. Whoever begins gets the list under a
-- token; a correction that matters to it takes the list away, and then its end is refused.
--
-- KEYS: 1 the bucket's epoch, 2 the list
-- ARGV: 1 the epoch, 2 the token (16 bytes), 3 seconds until an abandoned building is forgotten,
--       4 '1' to replace a list that is ready
-- Returns 1 if building began, 0 if the list is ready or being built by somebody else.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local id_bytes = 16
local sentinel = redis.call('lindex', KEYS[2], -1)
if sentinel and (string.sub(sentinel, 1, 1) == 'B' or ARGV[4] ~= '1') then
  return 0
end
redis.call('unlink', KEYS[2])
redis.call('rpush', KEYS[2], 'B' .. string.rep('\0', id_bytes) .. ARGV[2])
redis.call('expire', KEYS[2], ARGV[3])
return 1
