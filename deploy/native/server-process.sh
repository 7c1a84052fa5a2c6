# shellcheck shell=bash
# Launching, finding and stopping server processes. A server outlives the shell that launched it and is known by its pid
# file, which is believed only as far as process-identity.sh can confirm it.

launch_limit_s=10
stop_limit_s=30
# Postgres may have to replay as much as max_wal_size after a crash.
declare -A ready_limits_s=([postgres]=120 [redis]=30 [kafka]=120)
# For Postgres INT is the fast shutdown: it disconnects clients instead of waiting for them.
declare -A stop_signals=([postgres]=INT [redis]=TERM [kafka]=TERM)

# Postgres and Redis get namespaces for their mounts and for their processes. Being the first process of the latter, a
# server takes all its children with it when it is killed, and Postgres never meets its own stale pid as somebody else's.
isolation=(unshare --mount --pid --fork)

# server_pid SERVER: its pid, if it runs and is ours.
server_pid() {
  local pid started boot folder
  { read -r pid started boot folder <"$instance_dir/$1.pid"; } 2>/dev/null || return 1
  [ "$boot" = "$(boot_id)" ] && [ "$folder" = "$(folder_id "$instance_dir")" ] || return 1
  read_identity "/proc/$pid/stat" && [ "$identity_started" = "$started" ] || return 1
  printf '%s\n' "$pid"
}

server_log() { printf '%s/logs/%s.log\n' "$instance_dir" "$1"; }

# launch SERVER COMMAND...: on the machine itself.
launch() {
  local server=$1
  shift
  detach "$server" "$native_dir/run-server.sh" "$instance_dir/$server.pid" "$(folder_id "$instance_dir")" "$@"
}

# launch_in_root SERVER USER COMMAND...: in the Debian root file system.
launch_in_root() {
  local server=$1 user=$2
  shift 2
  detach "$server" "${isolation[@]}" "$native_dir/run-server.sh" "$instance_dir/$server.pid" "$(folder_id "$instance_dir")" \
    "$native_dir/in-debian-root.sh" "$(debian_root)" "$instance_dir/data/$server" "$user" "$@"
}

# detach SERVER COMMAND...: a session of its own, so that no terminal's hang-up or Ctrl-C reaches it, and none of our locks.
detach() {
  local server=$1 log deadline=$((SECONDS + launch_limit_s))
  shift
  log=$(server_log "$server")
  rm -f "$instance_dir/$server.pid"
  # One older log is kept: after a crash it is the one that says why.
  [ ! -e "$log" ] || mv "$log" "$log.previous"
  setsid "$@" >"$log" 2>&1 </dev/null 9>&- &
  until [ -e "$instance_dir/$server.pid" ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail_with_log "$log" "$server was not launched within $launch_limit_s s"
    sleep 0.01
  done
}

# wait_until_ready SERVER: until it does its job, or is seen not to.
wait_until_ready() {
  local server=$1 limit_s=${ready_limits_s[$(server_kind "$1")]} deadline
  deadline=$((SECONDS + limit_s))
  until "$(server_kind "$server")_answers" "$server"; do
    server_pid "$server" >/dev/null || fail_with_log "$(server_log "$server")" "$server ended while it was starting"
    [ "$SECONDS" -lt "$deadline" ] || fail_with_log "$(server_log "$server")" "$server runs but does not answer after $limit_s s"
    sleep 0.05
  done
}

# end_server SERVER SIGNAL: returns once it has ended.
end_server() {
  local server=$1 signal=$2 pid deadline=$((SECONDS + stop_limit_s))
  pid=$(server_pid "$server") || { rm -f "$instance_dir/$server.pid"; return 0; }
  kill -s "$signal" "$pid"
  kill -s CONT "$pid" 2>/dev/null || true # A test may have frozen it, and a frozen process heeds no signal but KILL.
  while server_pid "$server" >/dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      [ "$signal" != KILL ] || fail "$server (pid $pid) survives SIGKILL"
      say "$server (pid $pid) still runs $stop_limit_s s after SIG$signal: killing it"
      end_server "$server" KILL
      return 0
    fi
    sleep 0.02
  done
  rm -f "$instance_dir/$server.pid"
}
