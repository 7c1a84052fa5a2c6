# shellcheck shell=bash
# Redis 8, a cache: nothing of it is kept, so that a restart is the loss that the services must survive.

redis_prepare() {
  cache_folder "$(debian_root)" make_debian_root
  mkdir -p "$instance_dir/data/redis"
  chown "$(root_user_id redis)" "$instance_dir/data/redis"
}

# Scripts compare ids as bytes, which only the C locale does. volatile-lru, because some keys must never be evicted. Exe: it
# tells of keys that expire or are evicted, and of nothing that is written (docs/decisions/0009-keyspace-notifications.md).
redis_launch() {
  launch_in_root redis redis redis-server --bind 127.0.0.1 --port "${ports[redis]}" --dir /data --daemonize no \
    --save '' --appendonly no --locale-collate C --maxmemory 2gb --maxmemory-policy volatile-lru \
    --notify-keyspace-events Exe
}

redis_answers() {
  local reply
  { exec 7<>"/dev/tcp/127.0.0.1/${ports[redis]}"; } 2>/dev/null || return 1
  printf 'PING\r\n' >&7
  read -r -t 2 reply <&7 || reply=
  exec 7>&-
  [ "$reply" = $'+PONG\r' ]
}
