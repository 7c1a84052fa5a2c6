# shellcheck shell=bash
# What a person who waits gets to read. All of it goes to stderr: stdout carries results only, such as those of `env`.

say() { printf '[%(%H:%M:%S)T] %s\n' -1 "$*" >&2; }

fail() {
  say "ERROR: $*"
  exit 1
}

# fail_with_log LOG MESSAGE: the message alone seldom says why.
fail_with_log() {
  say "the last lines of $1:"
  tail -n 20 "$1" >&2 || true
  fail "$2"
}
