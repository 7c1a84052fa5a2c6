-- Reads a register, or only its head: state and version.
-- KEYS: 1 the bucket's epoch, 2 the register
-- ARGV: 1 the epoch, 2 how many bytes, 0 for all
-- Returns the bytes; an empty string where it is missing.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
return redis.call('getrange', KEYS[2], 0, tonumber(ARGV[2]) - 1)
