-- Ends the loading of a register. The token becomes its version: random, so no two loadings are taken for one another.
-- KEYS: 1 the bucket's epoch, 2 the register
-- ARGV: 1 the epoch, 2 the token, 3 seconds the register stays, 4 what the database says
-- Returns 1 if it was stored, 0 if a correction came meanwhile.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
if redis.call('get', KEYS[2]) ~= 'L' .. ARGV[2] then
  return 0
end
redis.call('set', KEYS[2], 'R' .. ARGV[2] .. ARGV[4], 'EX', ARGV[3])
return 1
