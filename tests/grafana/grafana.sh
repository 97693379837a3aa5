#!/usr/bin/env bash
# Holds a dashboard against Grafana's own types (@grafana/schema) with the TypeScript compiler. Needs Node.js 18 or newer
# with npm.
#
#   grafana.sh fetch          installs both (40 MB) with npm into target/grafana, once; prints their folder
#   grafana.sh check FILE     0 where FILE is a dashboard as dashboard.ts has it, else 1, with the compiler's words
#
# OKS_GRAFANA_HOME names a folder that several checkouts share.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

# Other versions get another folder.
key=$(cksum <"$here/package-lock.json" | cut -d ' ' -f 1)
home=${OKS_GRAFANA_HOME:-$here/../../target/grafana}/$key

install_into_home() {
  need node "install Node.js, 18 or newer"
  need npm "install npm"
  rm -rf "$home/node_modules"
  cp "$here/package.json" "$here/package-lock.json" "$home/"
  npm --prefix "$home" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    die "npm could not fetch what tests/grafana/package.json names: see above"
}

fetch() {
  once "$home" "@grafana/schema and TypeScript with npm" install_into_home
  (cd "$home" && pwd)
}

check() {
  local scratch status=0
  home=$(fetch)
  scratch=$(mktemp -d "$home/check-XXXXXX")
  # What TypeScript knows of a JSON file that it imports is too little (each string is any string); a literal it looks into.
  {
    echo "import type { ShippedDashboard } from './dashboard';"
    echo 'export const dashboard: ShippedDashboard ='
    cat "$1"
  } >"$scratch/checked.ts"
  cp "$here/dashboard.ts" "$scratch/"
  node "$home/node_modules/typescript/bin/tsc" --noEmit --strict --skipLibCheck --target es2022 --module esnext \
    --moduleResolution bundler --pretty false "$scratch/checked.ts" || status=1
  rm -rf "$scratch"
  return "$status"
}

case ${1:-} in
  fetch) fetch ;;
  check)
    [ $# -eq 2 ] || die "usage: grafana.sh check FILE"
    check "$2"
    ;;
  *) die "usage: grafana.sh fetch | grafana.sh check FILE" ;;
esac
