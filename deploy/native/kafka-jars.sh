# shellcheck shell=bash
# Kafka is its jars: Maven fetches those that pom.xml names, and what they need.

kafka_jars() { printf '%s/kafka-%s\n' "$cache_dir" "$(fingerprint <"$native_dir/pom.xml")"; }

make_kafka_jars() {
  local jars=$1 log=$1.log started=$SECONDS
  say "Kafka: Maven downloads 50 jars, 43 MB, typically 10 to 30 s"
  # --strict-checksums, because a jar that arrived damaged would be kept for good.
  mvn --batch-mode --strict-checksums --file "$native_dir/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$jars" >"$log" 2>&1 || fail_with_log "$log" "Maven could not fetch Kafka"
  rm "$log"
  say "Kafka's jars are ready ($((SECONDS - started)) s)"
}
