# shellcheck shell=bash
# An instance is one Postgres, one Redis and a Kafka of one or three brokers with data and ports of their own, kept in
# .tideline/NAME of the checkout. What is a server's own is named after it, and what is done to it after its kind.

brokers=(kafka)
servers=(postgres redis kafka)
port_names=(postgres redis kafka controller)
declare -A ports=()

# Only dev has well-known ports: it is the one that people and README commands talk to.
declare -A dev_ports=(
  [postgres]=${TIDELINE_POSTGRES_PORT:-15432}
  [redis]=${TIDELINE_REDIS_PORT:-16379}
  [kafka]=${TIDELINE_KAFKA_PORT:-19092}
)
declare -A port_variables=([postgres]=TIDELINE_POSTGRES_PORT [redis]=TIDELINE_REDIS_PORT [kafka]=TIDELINE_KAFKA_PORT)
instance_lock_limit_s=600

# use_instance NAME: everything after this speaks of that instance.
use_instance() {
  instance=$1
  [[ $instance =~ ^[a-z][a-z0-9-]{0,30}$ ]] || fail "'$instance' is no instance name: lower-case letters, digits and dashes, 31 at most"
  state_dir=$checkout_dir/.tideline
  instance_dir=$state_dir/$instance
  ports=()
  use_brokers
  local name port
  if [ -r "$instance_dir/ports" ]; then
    while read -r name port; do ports[$name]=$port; done <"$instance_dir/ports"
  fi
}

# As many as the instance was made with.
use_brokers() {
  local count=1
  [ ! -r "$instance_dir/brokers" ] || read -r count <"$instance_dir/brokers"
  brokers=(kafka) port_names=(postgres redis kafka controller)
  if [ "$count" = 3 ]; then
    brokers+=(kafka2 kafka3) port_names+=(kafka2 controller2 kafka3 controller3)
  fi
  servers=(postgres redis "${brokers[@]}")
}

# make_instance BROKERS: an instance keeps the number of brokers that it began with.
make_instance() {
  if [ -d "$instance_dir/data" ]; then
    [ -z "$1" ] || [ "$1" = ${#brokers[@]} ] || fail "instance $instance has ${#brokers[@]} broker(s): stack.sh erase $instance, then start it with $1"
    return 0
  fi
  [ "${1:-1}" = 1 ] || [ "$instance" != dev ] || fail "dev, whose ports are fixed, has one broker: name another instance"
  mkdir -p "$instance_dir/data" "$instance_dir/logs"
  printf '%s\n' "${1:-1}" >"$instance_dir/brokers"
  use_brokers
}

server_kind() { printf '%s\n' "${1%[23]}"; }

# One writer at a time: two starts of one instance must not both launch its servers.
lock_instance() {
  mkdir -p "$state_dir/.locks"
  exec 9>"$state_dir/.locks/$instance"
  if ! flock --nonblock 9; then
    say "another command is at work on instance $instance: waiting for it"
    flock --timeout "$instance_lock_limit_s" 9 || fail "waited $instance_lock_limit_s s for $state_dir/.locks/$instance"
  fi
  use_instance "$instance" # The other command may have changed the ports.
}

# Gives every server that does not run its port, and remembers them: dev's are fixed, others keep theirs while those are free.
assign_ports() {
  local name server
  for name in "${port_names[@]}"; do
    server=${name/controller/kafka}
    if server_pid "$server" >/dev/null; then continue; fi
    if [ "$instance" = dev ]; then
      ports[$name]=$(dev_port "$name")
    elif [ -z "${ports[$name]:-}" ] || port_taken "${ports[$name]}"; then
      ports[$name]=$(free_port "${ports[@]}")
    fi
  done
  for name in "${port_names[@]}"; do printf '%s %s\n' "$name" "${ports[$name]}"; done >"$instance_dir/ports.new"
  mv "$instance_dir/ports.new" "$instance_dir/ports"
}

# Kafka's controller takes the port above Kafka's, so that there is no fourth variable to set.
dev_port() {
  local server=${1/controller/kafka} port
  port=${dev_ports[$server]}
  if ! [[ $port =~ ^[0-9]{1,5}$ ]] || [ "$port" -lt 1 ] || [ "$port" -gt 65534 ]; then
    fail "${port_variables[$server]}='$port' is no port: a number from 1 to 65534"
  fi
  [ "$1" != controller ] || port=$((port + 1))
  printf '%s\n' "$port"
}

# require_free_ports SERVER...: names every port that is taken, by whom, and what to do, before any server is started.
require_free_ports() {
  local name server port advice taken=0
  for name in "${port_names[@]}"; do
    server=${name/controller/kafka} port=${ports[$name]}
    case " $* " in *" $server "*) ;; *) continue ;; esac
    port_taken "$port" || continue
    advice="start the instance anew, which picks another port"
    [ "$instance" != dev ] || advice="set ${port_variables[$server]} to a free port"
    say "port $port, for ${name/controller/kafka\'s controller}, is taken by $(port_owner "$port"): stop that process, or $advice"
    taken=1
  done
  [ "$taken" = 0 ] || fail "nothing was started"
}
