-- Delivers ids into lists of one bucket: inboxes, outboxes. Each list comes once, with all its new ids. What watched users
-- got is recorded (check-fence.lua and record-live.lua are included before this).
--
-- A list holds 16-byte ids, newest first, sorted and without duplicates, and at its tail a sentinel: R (ready) or
-- B (building), the floor (16 bytes: from this id on the list is complete), and for B the builder's token. A list that is
-- missing is nobody's at present and stays missing. Strings are compared as bytes: the server runs in locale C.
--
-- KEYS: 1 the bucket's epoch, 2 the bucket's fences, 3 who is watched, 4 the bucket's live stream, 5.. lists
-- ARGV: 1 the epoch, 2 the partition, 3 its fence, 4 the channel,
--       5 cap, 6 slack (a list is trimmed to cap when it exceeds cap + slack),
--       7 '1' if a list that is being built must start over, else '0'
--       8 for each list: the number of its ids (2 bytes, big endian), then the ids, oldest first
-- Returns how many ids were new to their list.
local id_bytes = 16
local first_look = 8
local first_list = 5
local cap = tonumber(ARGV[5])
local length_max = cap + tonumber(ARGV[6]) + 1
local start_over = ARGV[7] == '1'
local packed = ARGV[8]

local function floor_of(sentinel)
  return string.sub(sentinel, 2, id_bytes + 1)
end

-- The entries newer than an id, newest first, how many they are, and the entry after them: no newer, or the sentinel.
-- Looks further in steps that double: what is late is seldom very late.
local function newer_than(key, id, look)
  local newer, from, step = nil, 0, look
  while true do
    local part = redis.call('lrange', key, from, from + step - 1)
    newer = newer or part
    for i = 1, #part do
      local entry = part[i]
      if #entry > id_bytes or entry <= id then
        return newer, from + i - 1, entry
      end
      newer[from + i] = entry
    end
    from = from + step
    step = step * 2
  end
end

-- Puts ids where they belong, the first of which is not newer than the head. In a backlog several ids of a list are late
-- together, so one look serves them all: reading costs more than inserting.
local function insert_late(key, ids, watcher)
  local newer, e, older = newer_than(key, ids[1], first_look * (#ids + 1))
  local floor = #older > id_bytes and floor_of(older)
  local inserted = 0
  for i = 1, #ids do
    local id = ids[i]
    while e > 0 and newer[e] < id do
      older = newer[e]
      e = e - 1
    end
    if id ~= newer[e] and id ~= older and not (floor and id < floor) then
      redis.call('linsert', key, 'before', older, id)
      older = id
      inserted = inserted + 1
      if watcher then
        record(watcher.letters.added, id, watcher.user)
      end
    end
  end
  return inserted
end

-- Cuts the list back to its cap: the oldest id that stays is its floor.
local function trim(key)
  local sentinel = redis.call('lindex', key, -1)
  redis.call('ltrim', key, 0, cap - 1)
  local floor = redis.call('lindex', key, -1)
  redis.call('rpush', key, string.sub(sentinel, 1, 1) .. floor .. string.sub(sentinel, id_bytes + 2))
end

local function is_building(key)
  return string.sub(redis.call('lindex', key, -1), 1, 1) == 'B'
end

local function deliver(key, ids, watcher)
  local head = redis.call('lindex', key, 0)
  -- A list that is missing or being built cannot tell whether an id came before, and what makes a builder start over is no
  -- news: an author's past.
  if watcher and (start_over or not head or is_building(key)) then
    record(watcher.letters.changed, nil, watcher.user)
    watcher = nil
  end
  if not head then
    return 0
  end
  if start_over and is_building(key) then
    redis.call('unlink', key)
    return 0
  end
  -- An empty list takes whatever is above its floor.
  local newest = #head > id_bytes and floor_of(head) or head
  local inserted, length
  if ids[1] > newest then
    inserted = #ids
    length = redis.call('lpush', key, unpack(ids))
    for i = 1, watcher and #ids or 0 do
      record(watcher.letters.added, ids[i], watcher.user)
    end
  else
    inserted = insert_late(key, ids, watcher)
    length = redis.call('llen', key)
  end
  if length > length_max then
    trim(key)
  end
  return inserted
end

local watchers = watchers_of(KEYS[3], KEYS[4], first_list)
local delivered = 0
local at = 1
for k = first_list, #KEYS do
  local high, low = string.byte(packed, at, at + 1)
  at = at + 2
  local ids = {}
  for i = 1, high * 256 + low do
    ids[i] = string.sub(packed, at, at + id_bytes - 1)
    at = at + id_bytes
  end
  delivered = delivered + deliver(KEYS[k], ids, watchers and watchers[KEYS[k]])
end
append_bucket_records(KEYS[4], ARGV[4])
return delivered
