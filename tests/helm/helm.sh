#!/usr/bin/env bash
# What the tests of the Helm chart ask: helm, kubeconform, and the Prometheus operator's definitions of its objects, from the
# Go module proxy. Needs Go for the first fetch.
#
#   helm.sh fetch    builds and downloads them into target/helm, once (five minutes); prints the folder, which has bin/helm,
#                    bin/kubeconform and crds/
#
# OKS_HELM_HOME names a folder that several checkouts share. OKS_GO_BIN names one that has the two programs already, in these
# versions.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

helm=v3.22.0
kubeconform=v0.8.0
operator=v0.93.0
home=${OKS_HELM_HOME:-$here/../../target/helm}/$helm-$kubeconform-$operator

# program NAME MODULE PACKAGE VERSION
program() {
  local ready=${OKS_GO_BIN:-}/$1 version
  if [ -n "${OKS_GO_BIN:-}" ] && [ -x "$ready" ]; then
    version=$(go version -m "$ready" | awk '$1 == "mod" { print $2, $3 }')
    [ "$version" = "$2 $4" ] || die "$ready is $version, not $2 $4"
    cp "$ready" "$home/bin/$1"
  else
    # What the module's own go.mod requires. Go holds each module against the checksum database (GOSUMDB), where that is not
    # turned off; no hash stands in this repository.
    GOBIN=$home/bin go install "$2$3@$4" >&2 || die "$1 could not be built: see above"
  fi
}

download() {
  local module
  need go "install Go, 1.26 or newer"
  rm -rf "$home/bin" "$home/crds"
  mkdir -p "$home/bin" "$home/crds"
  program helm helm.sh/helm/v3 /cmd/helm $helm
  program kubeconform github.com/yannh/kubeconform /cmd/kubeconform $kubeconform
  module=$(GOFLAGS=-mod=mod go mod download -json "github.com/prometheus-operator/prometheus-operator@$operator" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || die "the Prometheus operator's module could not be downloaded"
  cp "$module"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,podmonitors,prometheusrules}.yaml "$home/crds/"
  chmod u+w "$home"/crds/*
}

fetch() {
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  once "$home" "helm and kubeconform from the Go module proxy" download
  echo "$home"
}

case ${1:-} in
  fetch) fetch ;;
  *) die "usage: helm.sh fetch" ;;
esac
