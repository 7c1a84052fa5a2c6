-- Drops cached keys of one bucket: registers after a correction, inboxes that changed too much. What is missing is
-- read from TimescaleDB again, and whoever was loading one of them has lost its token. It is recorded for watched
-- users, also where nothing was there to be dropped (record-live.lua is included before this).
-- KEYS: 1 the bucket's epoch, 2 who is watched, 3 the bucket's live stream, 4.. what to drop
-- ARGV: 1 the epoch, 2 the channel
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local first_key = 4
local watchers = watchers_of(KEYS[2], KEYS[3], first_key)
local dropped = 0
for k = first_key, #KEYS do
  dropped = dropped + redis.call('unlink', KEYS[k])
  local watcher = watchers and watchers[KEYS[k]]
  if watcher then
    record(watcher.letters.changed, nil, watcher.user)
  end
end
append_bucket_records(KEYS[3], ARGV[2])
return dropped
