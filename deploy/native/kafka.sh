# shellcheck shell=bash
# Kafka 4.1 in KRaft mode: one node that is broker and controller, or three of them.

kafka_java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# kafka_prepare BROKER
kafka_prepare() {
  cache_folder "$(kafka_jars)" make_kafka_jars
  [ -e "$instance_dir/data/$1/meta.properties" ] || format_kafka_storage "$1"
}

kafka_launch() {
  kafka_properties "$1" "$instance_dir/data/$1" >"$instance_dir/$1.properties"
  launch "$1" "$kafka_java" -Xmx512m "${kafka_logging[@]}" -cp "$(kafka_jars)/*" kafka.Kafka "$instance_dir/$1.properties"
}

kafka_logging=(
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -Dorg.slf4j.simpleLogger.showDateTime=true
  -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS
)

kafka_answers() { "$native_dir/kafka-ready.sh" "${ports[$1]}"; }

# New storage is complete before it gets its name.
format_kafka_storage() {
  local broker=$1 data=$instance_dir/data/$1 properties=$instance_dir/$1-format.properties log=$instance_dir/logs/$1-format.log
  local controllers=(--standalone)
  # The controllers of three are named in the properties.
  [ ${#brokers[@]} = 1 ] || controllers=()
  rm -rf --one-file-system "$data.new"
  kafka_properties "$broker" "$data.new" >"$properties"
  "$kafka_java" "${kafka_logging[@]}" -cp "$(kafka_jars)/*" kafka.tools.StorageTool format "${controllers[@]}" \
    --cluster-id "$(kafka_cluster_id)" --config "$properties" >"$log" 2>&1 || fail_with_log "$log" "Kafka's storage could not be formatted"
  rm "$properties"
  mv -T "$data.new" "$data"
}

# The brokers of an instance share it. Kafka's cluster ids are 16 bytes in base64; this one is a hash of where the instance is.
kafka_cluster_id() {
  local id
  id=$(printf '%s' "$instance_dir" | sha256sum | tr -dc 'a-f0-9')
  printf '%sA\n' "${id:0:21}"
}

# kafka_properties BROKER LOG_DIR. The session timeout is a third of the usual: a killed broker's registration stands until then, and
# its successor has to wait for that. One cleaner with 16 MB, because the usual 128 MB would be a quarter of this heap.
kafka_properties() {
  local number=${1#kafka} replicas=${#brokers[@]} in_sync=1 quorum=controller.quorum.bootstrap.servers=127.0.0.1:${ports[controller]}
  if [ "$replicas" = 3 ]; then
    in_sync=2
    quorum=controller.quorum.voters=1@127.0.0.1:${ports[controller]},2@127.0.0.1:${ports[controller2]},3@127.0.0.1:${ports[controller3]}
  fi
  cat <<PROPERTIES
process.roles=broker,controller
node.id=${number:-1}
listeners=PLAINTEXT://127.0.0.1:${ports[$1]},CONTROLLER://127.0.0.1:${ports[controller$number]}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[$1]},CONTROLLER://127.0.0.1:${ports[controller$number]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
$quorum
log.dirs=$2
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}
