#!/usr/bin/env bash
# Reads docker-compose.yml as `docker compose` does, without an engine: the compose specification's own loader, in Go, from the
# module proxy. Needs Go, 1.24 or newer, for the build.
#
#   compose.sh fetch         builds it under target/compose, once (half a minute), and prints its path. It takes the name of
#                            a compose file, and prints what it says as JSON; it fails with the reason where it is not valid.
#
# OKS_COMPOSE_HOME names a folder that several checkouts share.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

# Another version of it gets another folder.
key=$(cat "$here/go.mod" "$here/go.sum" "$here/main.go" | cksum | cut -d ' ' -f 1)
home=${OKS_COMPOSE_HOME:-$here/../../target/compose}/$key

build() {
  need go "install Go, 1.24 or newer"
  (cd "$here" && GOWORK=off GOFLAGS='-mod=readonly -trimpath' go build -o "$home/compose" .) >&2 ||
    die "the loader could not be built: see above"
}

case ${1:-} in
  fetch)
    once "$home" "the compose specification's loader from the Go module proxy" build
    (cd "$home" && echo "$PWD/compose")
    ;;
  *) die "usage: compose.sh fetch" ;;
esac
