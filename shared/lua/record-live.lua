-- Included before scripts that change what readers watch: records of what happened, for `live-records.ts`.

local entries_max = 4000
local entries_min = 64
-- Entries of one size take no more memory than this in a stream: that of a backlog may hold thousands of records.
local stream_bytes_max = 1048576
local stream_ttl_s = 3600

local records

-- The watchers among the users of KEYS from `first` on, by key: {user, letters}, letters being what is recorded of it.
-- `live` is the bucket's stream, beside which all keys of the epoch are named. Nearly always nobody watches, and then there
-- are few watchers and many keys: this is done for every delivery.
local function watchers_of(watched, live, first)
  local count = redis.call('zcard', watched)
  if count == 0 then
    return nil
  end
  local letters_of = {
    ['in:'] = { added = 'a', removed = 'd', changed = 'r' },
    ['note:'] = { added = 'n', removed = 'm', changed = 's' },
    ['reg:'] = { changed = 'g' },
  }
  local name_at = #live - #'live' + 1
  local found = {}
  if count < #KEYS then
    local prefix = string.sub(live, 1, name_at - 1)
    for _, user in ipairs(redis.call('zrange', watched, 0, -1)) do
      for kind, letters in pairs(letters_of) do
        found[prefix .. kind .. user] = { user = user, letters = letters }
      end
    end
  else
    for k = first, #KEYS do
      local kind, user = string.match(KEYS[k], '^(%l+:)(.+)$', name_at)
      if letters_of[kind] and redis.call('zscore', watched, user) then
        found[KEYS[k]] = { user = user, letters = letters_of[kind] }
      end
    end
  end
  return found
end

local function record(letter, id, user)
  records = records or {}
  records[#records + 1] = letter .. (id or string.rep('\0', 16)) .. string.char(#user) .. user
end

-- Appends what was recorded as one entry, and says so. Returns the entry's id, or nothing where there was nothing.
local function append_records(stream, length_max, channel, place)
  if not records then
    return nil
  end
  local packed = table.concat(records)
  local length = math.max(entries_min, math.min(length_max, math.floor(stream_bytes_max / #packed)))
  local id = redis.call('xadd', stream, 'MAXLEN', '~', length, '*', 'r', packed)
  redis.call('expire', stream, stream_ttl_s)
  redis.call('publish', channel, place)
  return id
end

local function append_bucket_records(live, channel)
  return records and append_records(live, entries_max, channel, tonumber(string.match(live, '{b(%d+)}')))
end
