-- Ends the building of a list: what the database had is merged with what was delivered meanwhile, and the list becomes
-- readable. Refused where the token does not stand any more. A user who is watched has to read again, because the database
-- may have had what is delivered only later, and then is no news (record-live.lua is included before this).
--
-- KEYS: 1 the bucket's epoch, 2 who is watched, 3 the bucket's live stream, 4 the list
-- ARGV: 1 the epoch, 2 the token, 3 cap, 4 seconds the list stays, 5 the floor of what the database gave,
--       6 its ids, newest first, one after the other, 7 the channel
-- Returns 1 if the list is ready, 0 if it was taken away.
if redis.call('get', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('STALEEPOCH the bucket is in another cache epoch')
end
local id_bytes = 16
local push_max = 1000
local list_at = 4
local key = KEYS[list_at]
local entries = redis.call('lrange', key, 0, -1)
local sentinel = table.remove(entries)
if not sentinel or string.sub(sentinel, 1, 1) ~= 'B' or string.sub(sentinel, id_bytes + 2) ~= ARGV[2] then
  return 0
end
local cap = tonumber(ARGV[3])
local stored = ARGV[6]

-- Trimming may have raised the floor of what was delivered.
local floor = string.sub(sentinel, 2, id_bytes + 1)
if ARGV[5] > floor then
  floor = ARGV[5]
end

local merged = {}
local e, s = 1, 1
while true do
  local delivered = entries[e]
  local from_database = s <= #stored and string.sub(stored, s, s + id_bytes - 1) or nil
  local next_id
  if delivered and (not from_database or delivered >= from_database) then
    next_id = delivered
  else
    next_id = from_database
  end
  if not next_id or next_id < floor then
    break
  end
  if #merged == cap then
    floor = merged[cap]
    break
  end
  if next_id == delivered then
    e = e + 1
  end
  if next_id == from_database then
    s = s + id_bytes
  end
  merged[#merged + 1] = next_id
end

redis.call('unlink', key)
for first = 1, #merged, push_max do
  redis.call('rpush', key, unpack(merged, first, math.min(first + push_max - 1, #merged)))
end
redis.call('rpush', key, 'R' .. floor)
redis.call('expire', key, ARGV[4])
local watchers = watchers_of(KEYS[2], KEYS[3], list_at)
local watcher = watchers and watchers[key]
if watcher then
  record(watcher.letters.changed, nil, watcher.user)
  append_bucket_records(KEYS[3], ARGV[7])
end
return 1
