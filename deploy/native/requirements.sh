# shellcheck shell=bash
# What a start needs of the machine. All that is missing is named at once, before anything is done.

java_version_min=17

# check_requirements SERVER...: for starting these servers.
check_requirements() {
  local missing=() wanted=" $* "
  require_root
  require_command unshare util-linux
  require_command setsid util-linux
  require_command flock util-linux
  require_command mount mount
  require_command awk mawk
  require_command find findutils
  [ ${#missing[@]} -gt 0 ] || require_namespaces
  if [[ $wanted == *' kafka '* ]]; then
    require_java
    [ -e "$(kafka_jars)" ] || require_command mvn maven
  fi
  if [[ $wanted == *' postgres '* || $wanted == *' redis '* || $wanted == *' prometheus '* ]]; then
    [ -e "$(debian_root)" ] || require_debian
  fi
  [ ${#missing[@]} -eq 0 ] || refuse "${missing[@]}"
}

require_root() {
  [ "$(id -u)" = 0 ] || missing+=("root: the servers run in a root file system and under users of their own")
}

require_command() {
  command -v "$1" >/dev/null || missing+=("the command $1: apt-get install $2")
}

require_namespaces() {
  [ "$(id -u)" = 0 ] || return 0
  "${isolation[@]}" mount -t proc proc /proc 2>/dev/null \
    || missing+=("the right to make mount and process namespaces, which this container or kernel refuses")
}

require_java() {
  local version
  version=$("$kafka_java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || true
  [ "${version:-0}" -ge "$java_version_min" ] \
    || missing+=("Java $java_version_min or newer (found: ${version:-none}): apt-get install openjdk-17-jre-headless")
}

# mmdebstrap checks signatures against Debian's keys and fetches from the mirror in apt's sources: only a Debian has both.
require_debian() {
  if ! command -v apt-get >/dev/null; then
    missing+=("apt-get: Postgres and Redis are made from Debian's packages")
  elif ! grep -qx 'ID=debian' /etc/os-release; then
    missing+=("a Debian machine: Postgres and Redis come from the Debian mirror that apt's own sources name")
  fi
}

refuse() {
  local item
  say "the native stack cannot start here. Missing:"
  for item; do say "  - $item"; done
  say "Elsewhere: install Docker and run \`docker compose up\`, or run the servers your own way and set TIDELINE_DATABASE_URL,"
  say "TIDELINE_REDIS_URL and TIDELINE_KAFKA_BROKERS."
  exit 1
}
