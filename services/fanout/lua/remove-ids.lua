-- Removes ids from lists of one bucket, after a delete or an unfollow. Floors stay: a list without the ids is still
-- complete. One that is being built starts over, because its builder may have read the ids before they went. What watched
-- users lost is recorded (check-fence.lua and record-live.lua are included before this).
--
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences, 3 who is watched, 4 the bucket's live stream, 5.. lists
-- ARGV: 1 the epoch, 2 the partition, 3 its fence, 4 the channel,
--       5 '1' to record that each id went, '0' that the list is another one now
--       6 for each list: the number of its ids (2 bytes, big endian), then the ids
-- Returns how many entries were removed.
local id_bytes = 16
local first_list = 5
local each_id = ARGV[5] == '1'
local packed = ARGV[6]
local watchers = watchers_of(KEYS[3], KEYS[4], first_list)
local removed = 0
local at = 1
for k = first_list, #KEYS do
  local key = KEYS[k]
  local watcher = watchers and watchers[key]
  local high, low = string.byte(packed, at, at + 1)
  local count = high * 256 + low
  at = at + 2
  local sentinel = redis.call('lindex', key, -1)
  local building = sentinel and string.sub(sentinel, 1, 1) == 'B'
  if building then
    redis.call('unlink', key)
  end
  if watcher and (building or not each_id) then
    record(watcher.letters.changed, nil, watcher.user)
  end
  for i = 0, count - 1 do
    local id = string.sub(packed, at + i * id_bytes, at + (i + 1) * id_bytes - 1)
    if sentinel and not building then
      removed = removed + redis.call('lrem', key, 1, id)
    end
    -- Also where the list does not have it: its user may have been shown what is below the end of the list.
    if watcher and each_id then
      record(watcher.letters.removed, id, watcher.user)
    end
  end
  at = at + count * id_bytes
end
append_bucket_records(KEYS[4], ARGV[4])
return removed
