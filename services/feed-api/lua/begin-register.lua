-- Begins to load a register: marks it with a token, which a correction that comes meanwhile takes away.
-- KEYS: 1 the bucket's epoch, 2 the register
-- ARGV: 1 the epoch, 2 the token (16 bytes), 3 seconds until an abandoned loading is forgotten
-- Returns 1.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
redis.call('set', KEYS[2], 'L' .. ARGV[2], 'EX', ARGV[3])
return 1
