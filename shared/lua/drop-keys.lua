-- Drops cached keys of one bucket: registers after a correction, inboxes that changed too much. What is missing is
-- read from TimescaleDB again, and whoever was loading one of them has lost its token.
-- KEYS: 1 the bucket's epoch, 2.. what to drop
-- ARGV: 1 the epoch
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local dropped = 0
for i = 2, #KEYS do
  dropped = dropped + redis.call('unlink', KEYS[i])
end
return dropped
