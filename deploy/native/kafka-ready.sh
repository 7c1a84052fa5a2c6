#!/usr/bin/env bash
# Whether the Kafka at 127.0.0.1:PORT can be used. Exits with 0 or 1, within some seconds. The compose file mounts it too.
# usage: kafka-ready.sh PORT
# An open port is not enough: a broker whose registration is fenced accepts connections and serves nothing. Its answer to
# Metadata lists the brokers that are not fenced. A Java tool would take a second and a core each time, so the request is
# written by hand here: length 15, api 3, version 1, correlation 1, client "t", no topics. Bytes 9 to 12 of the answer are the
# number of brokers.
set -euo pipefail

{ exec 7<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit 1
printf '\0\0\0\017\0\003\0\001\0\0\0\001\0\001t\0\0\0\0' >&7
answer=$(timeout 2 head -c 12 <&7 2>/dev/null | od -An -v -tx1 | tr -d ' \n') || exit 1
[[ $answer =~ ^.{16}[0-9a-f]{8}$ ]] && [ "${answer:16}" != 00000000 ]
