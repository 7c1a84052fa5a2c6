# shellcheck shell=bash
# Kafka 4.1 in KRaft mode: one node that is broker and controller.

kafka_java=${JAVA_HOME:+$JAVA_HOME/bin/}java

kafka_prepare() {
  cache_folder "$(kafka_jars)" make_kafka_jars
  [ -e "$instance_dir/data/kafka/meta.properties" ] || format_kafka_storage
}

kafka_launch() {
  kafka_properties "$instance_dir/data/kafka" >"$instance_dir/kafka.properties"
  launch kafka "$kafka_java" -Xmx512m "${kafka_logging[@]}" -cp "$(kafka_jars)/*" kafka.Kafka "$instance_dir/kafka.properties"
}

kafka_logging=(
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -Dorg.slf4j.simpleLogger.showDateTime=true
  -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS
)

kafka_answers() { "$native_dir/kafka-ready.sh" "${ports[kafka]}"; }

# New storage is complete before it gets its name.
format_kafka_storage() {
  local data=$instance_dir/data/kafka properties=$instance_dir/kafka-format.properties log=$instance_dir/logs/kafka-format.log id
  rm -rf --one-file-system "$data.new"
  kafka_properties "$data.new" >"$properties"
  # Kafka's cluster ids are 16 bytes in base64; without its two special characters no id looks like an option.
  id=$(head -c 300 /dev/urandom | base64 --wrap=0 | tr -dc 'A-Za-z0-9')
  "$kafka_java" "${kafka_logging[@]}" -cp "$(kafka_jars)/*" kafka.tools.StorageTool format --standalone \
    --cluster-id "${id:0:21}A" --config "$properties" >"$log" 2>&1 || fail_with_log "$log" "Kafka's storage could not be formatted"
  rm "$properties"
  mv -T "$data.new" "$data"
}

# kafka_properties LOG_DIR. The session timeout is a third of the usual: a killed broker's registration stands until then, and
# its successor has to wait for that. One cleaner with 16 MB, because the usual 128 MB would be a quarter of this heap.
kafka_properties() {
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:${ports[kafka]},CONTROLLER://127.0.0.1:${ports[controller]}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports[kafka]},CONTROLLER://127.0.0.1:${ports[controller]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:${ports[controller]}
log.dirs=$1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}
