# shellcheck shell=bash
# Who listens on a port. Read from /proc, because a bare Debian has neither ss nor lsof.

# The range lies below the kernel's ephemeral ports, so no outgoing connection takes one between two starts.
free_port_min=20000
free_port_range=10000
free_port_attempts=100

port_taken() { [ -n "$(listening_socket "$1")" ]; }

# The inode of the socket that keeps 127.0.0.1:PORT from being bound: one on that address or on all addresses. State 0A is LISTEN.
listening_socket() {
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf '%04X' "$1")" '
    $4 == "0A" && split($2, at, ":") && at[2] == port && at[1] ~ /^(0+|0100007F|0+FFFF00000100007F)$/ && !seen++ { print $10 }'
}

# port_owner PORT: "pid 123 (its command line)", for a person who has to decide what to stop.
port_owner() {
  local descriptor pid
  descriptor=$(find /proc/[0-9]*/fd -lname "socket:\[$(listening_socket "$1")\]" -print -quit 2>/dev/null) || true
  [ -n "$descriptor" ] || { printf 'a process that cannot be seen from here'; return 0; }
  pid=${descriptor#/proc/}
  pid=${pid%%/*}
  printf 'pid %s (%s)' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-120 | sed 's/ *$//')"
}

# free_port NOT...: a port that nobody listens on and that is none of the given ones.
free_port() {
  local port attempt
  for ((attempt = 0; attempt < free_port_attempts; attempt++)); do
    port=$((free_port_min + RANDOM % free_port_range))
    case " $* " in *" $port "*) continue ;; esac
    port_taken "$port" || { printf '%s\n' "$port"; return 0; }
  done
  fail "no free port found in $free_port_attempts attempts from $free_port_min up"
}
