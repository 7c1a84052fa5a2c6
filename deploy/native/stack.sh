#!/usr/bin/env bash
# The real servers of Tideline on this machine, without containers: Kafka, PostgreSQL with TimescaleDB, Redis.
# usage: stack.sh start|stop|status|env|erase [INSTANCE]            INSTANCE is dev (the default), test or any other name
#        stack.sh start INSTANCE 3                                  a new instance with three brokers
#        stack.sh start-server INSTANCE kafka|postgres|redis        of three brokers: kafka, kafka2, kafka3
#        stack.sh stop-server INSTANCE kafka|postgres|redis [TERM|INT|KILL]
set -euo pipefail
if [ "$(uname -s)" != Linux ] || [ "${BASH_VERSINFO[0]}" -lt 5 ]; then
  echo "The native stack needs Linux and bash 5; elsewhere: docker compose up." >&2
  exit 1
fi
shopt -s inherit_errexit
native_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout_dir=$(cd "$native_dir/../.." && pwd)
for part in progress cache debian-root kafka-jars port instance process-identity server-process postgres redis kafka requirements; do
  # shellcheck source=/dev/null
  . "$native_dir/$part.sh"
done

# start BROKERS: 1 or 3 for a new instance, empty for as many as it has.
start() {
  local began=$EPOCHREALTIME stopped=()
  find_stopped
  [ ${#stopped[@]} -eq 0 ] || check_requirements "${stopped[@]}"
  lock_instance
  make_instance "$1"
  find_stopped # Another command may have held the lock.
  if [ ${#stopped[@]} -gt 0 ]; then
    assign_ports
    require_free_ports "${stopped[@]}"
  fi
  in_parallel start_one "${servers[@]}"
  [ "$failed_jobs" = 0 ] || fail "instance $instance is not complete; whatever did start goes on running until: stack.sh stop $instance"
  say "$instance is ready: Postgres ${ports[postgres]}, Redis ${ports[redis]}, Kafka $(broker_ports) ($(seconds_since "$began") s)"
}

# Sets the caller's `stopped`.
find_stopped() {
  local server
  stopped=()
  for server in "${servers[@]}"; do server_pid "$server" >/dev/null || stopped+=("$server"); done
}

# A server that runs already is waited for all the same: the start that launched it may have been killed.
start_one() {
  local server=$1 kind began=$EPOCHREALTIME
  kind=$(server_kind "$server")
  if server_pid "$server" >/dev/null; then
    wait_until_ready "$server"
    return 0
  fi
  "${kind}_prepare" "$server"
  say "$instance: starting $server, typically 1 to 5 s"
  "${kind}_launch" "$server"
  wait_until_ready "$server"
  say "$instance: $server answers ($(seconds_since "$began") s)"
}

stop() {
  [ -e "$instance_dir" ] || { say "instance $instance was never started"; return 0; }
  lock_instance
  in_parallel stop_one "${servers[@]}"
  [ "$failed_jobs" = 0 ] || fail "instance $instance could not be stopped"
  say "$instance is stopped"
}

stop_one() { end_server "$1" "${2:-${stop_signals[$(server_kind "$1")]}}"; }

start_server() {
  [ -n "${ports[$1]:-}" ] || fail "instance $instance was never started: stack.sh start $instance"
  lock_instance
  server_pid "$1" >/dev/null || { check_requirements "$1"; require_free_ports "$1"; }
  start_one "$1"
}

stop_server() {
  [ -e "$instance_dir" ] || fail "instance $instance was never started"
  lock_instance
  stop_one "$@"
}

status() {
  local server pid state all=0
  printf '%-9s %-14s %-8s %-6s %s\n' SERVER STATE PID PORT DATA
  for server in "${servers[@]}"; do
    state=stopped
    if pid=$(server_pid "$server"); then
      state=running
      "$(server_kind "$server")_answers" "$server" || state='not answering'
    fi
    [ "$state" = running ] || all=1
    printf '%-9s %-14s %-8s %-6s %s\n' "$server" "$state" "${pid:--}" "${ports[$server]:--}" "$instance_dir/data/$server"
  done
  return $all
}

print_environment() {
  local server broker list=
  for server in "${servers[@]}"; do
    server_pid "$server" >/dev/null || fail "$server of instance $instance does not run: stack.sh start $instance"
  done
  printf 'TIDELINE_DATABASE_URL=%s\n' "$(postgres_url)"
  printf 'TIDELINE_REDIS_URL=redis://127.0.0.1:%s\n' "${ports[redis]}"
  for broker in "${brokers[@]}"; do list+=,127.0.0.1:${ports[$broker]}; done
  printf 'TIDELINE_KAFKA_BROKERS=%s\n' "${list#,}"
}

broker_ports() {
  local broker list=
  for broker in "${brokers[@]}"; do list+=" ${ports[$broker]}"; done
  printf '%s\n' "${list# }"
}

erase() {
  [ -e "$instance_dir" ] || { say "instance $instance has no data"; return 0; }
  stop
  # A server's mounts are in a namespace that ended with it; should one ever be in the way, its other side is not deleted.
  rm -rf --one-file-system "$instance_dir"
  say "deleted $instance_dir; the downloads in $cache_dir are kept"
}

# in_parallel FUNCTION ARGUMENT...: the function for each argument at once; sets failed_jobs once all have ended. It does not
# return that number, because a caller who tests a function switches `set -e` off inside it.
in_parallel() {
  local run=$1 argument job jobs=()
  failed_jobs=0
  shift
  for argument; do
    "$run" "$argument" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed_jobs=$((failed_jobs + 1)); done
}

seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

usage() {
  sed -n '3,6s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

require_server() { case " ${servers[*]} " in *" $1 "*) ;; *) usage ;; esac; }

command=${1:-}
case $command in
  start) if [ $# -gt 3 ] || ! [[ ${3:-1} =~ ^[13]$ ]]; then usage; fi ;;
  stop | status | env | erase) [ $# -le 2 ] || usage ;;
  start-server) [ $# -eq 3 ] || usage ;;
  stop-server) { [ $# -eq 3 ] || [ $# -eq 4 ]; } || usage ;;
  *) usage ;;
esac
use_instance "${2:-dev}"
case $command in
  start) start "${3:-}" ;;
  stop) stop ;;
  status) status ;;
  env) print_environment ;;
  erase) erase ;;
  start-server)
    require_server "$3"
    start_server "$3"
    ;;
  stop-server)
    require_server "$3"
    case ${4:-TERM} in TERM | INT | KILL) ;; *) usage ;; esac
    stop_server "$3" "${4:-}"
    ;;
esac
