#!/usr/bin/env bash
# A real Prometheus for the tests, with promtool and Alertmanager: those of this machine, or Debian's packages, unpacked
# without root.
#
#   prometheus.sh fetch                           finds or downloads them (30 MB) into target/prometheus, once; prints a folder
#                                                 that has `promtool`, `prometheus` and `alertmanager`
#   prometheus.sh start CONFIG DIR PORT [OPTION...]
#                                                 runs Prometheus on 127.0.0.1:PORT in the foreground, with its data in DIR,
#                                                 and further options of its own. The script becomes Prometheus: its process
#                                                 id is Prometheus's. Ready when standard error says "Server is ready to
#                                                 receive web requests". SIGHUP makes it read CONFIG and its rules again.
#   prometheus.sh start-alertmanager CONFIG DIR PORT [OPTION...]
#                                                 the same for Alertmanager, alone: without peers. Ready when standard error
#                                                 says "Listening"
#   prometheus.sh promtool ARGUMENT...            runs promtool
#
# OKS_PROMETHEUS_HOME names a folder that several checkouts share.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

home=${OKS_PROMETHEUS_HOME:-$here/../../target/prometheus}
advice="install them (Debian's packages are prometheus and prometheus-alertmanager)"

# installed NAME...: the first of these names that is a command of this machine.
installed() {
  local name
  for name in "$@"; do
    if command -v "$name"; then return; fi
  done
  return 1
}

# Debian's name for Alertmanager is not upstream's.
link_installed() {
  local tool path
  for tool in promtool prometheus alertmanager; do
    path=$(installed "$tool" "prometheus-$tool") || return 1
    ln -sf "$path" "$home/bin/$tool"
  done
}

download() (
  command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    die "promtool, prometheus or alertmanager is missing, and this is no Debian: $advice"
  rm -rf "$home/packages" "$home/unpacked"
  mkdir -p "$home/packages" "$home/unpacked"
  cd "$home/packages"
  if ! apt-get -qq download prometheus prometheus-alertmanager >&2; then
    # The lists of packages may be missing, as in an image of a container.
    [ "$(id -u)" -eq 0 ] && apt-get -qq update >&2 && apt-get -qq download prometheus prometheus-alertmanager >&2 ||
      die "apt-get could not download prometheus and prometheus-alertmanager: $advice"
  fi
  local package
  for package in *.deb; do dpkg -x "$package" "$home/unpacked"; done
  ln -sf ../unpacked/usr/bin/promtool ../unpacked/usr/bin/prometheus "$home/bin/"
  ln -sf ../unpacked/usr/bin/prometheus-alertmanager "$home/bin/alertmanager"
  rm -rf "$home/packages"
)

find_or_download() {
  local tool
  rm -rf "$home/bin"
  mkdir -p "$home/bin"
  link_installed || download
  for tool in promtool prometheus alertmanager; do
    "$home/bin/$tool" --version >/dev/null 2>&1 || die "$(readlink "$home/bin/$tool") does not run: $advice"
  done
}

fetch() {
  once "$home" "Prometheus, promtool and Alertmanager" find_or_download
  (cd "$home/bin" && pwd)
}

# The two servers have the same options for where they are and what they keep.
run() {
  local tool=$1 option=$2
  shift 2
  [ $# -ge 3 ] || die "usage: prometheus.sh start|start-alertmanager CONFIG DIR PORT [OPTION...]"
  local config=$1 dir=$2 port=$3 bin
  shift 3
  bin=$(fetch)
  exec "$bin/$tool" "--config.file=$config" "--$option=$dir" "--web.listen-address=127.0.0.1:$port" "$@"
}

case ${1:-} in
  fetch) fetch ;;
  start)
    shift
    run prometheus storage.tsdb.path "$@"
    ;;
  start-alertmanager)
    shift
    run alertmanager storage.path "$@" --cluster.listen-address=
    ;;
  promtool)
    shift
    bin=$(fetch)
    exec "$bin/promtool" "$@"
    ;;
  *) die "usage: prometheus.sh fetch | start CONFIG DIR PORT | start-alertmanager CONFIG DIR PORT | promtool ARGUMENT..." ;;
esac
