#!/usr/bin/env bash
# The Python of the tests' independent checks, of the test suite's own making: jwcrypto verifies what the client signs
# (tests/verifier), confluent-kafka reads what lies in topics (tests/reader), scim2-models parses filters (tests/query),
# kubernetes-validate holds manifests against schemas (tests/helm), aiosmtpd receives e-mail (tests/email).
#
#   tests/python/python.sh fetch    makes it under target/python, once (some seconds), and prints its interpreter
#
# Needs Python 3.11 or newer with `venv` (Debian's package is python3-venv) or with pip.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/requirements.txt

# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

install_into_home() {
  local pip=(install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all:)
  rm -rf "$home/venv" "$home/site" "$home/python"
  # A distribution may leave out `ensurepip`, and a machine pip: either will do.
  if "$python" -m venv "$home/venv" >/dev/null 2>&1; then
    "$home/venv/bin/python" -m pip "${pip[@]}" -r "$requirements" >&2 || die "pip could not fetch what tests/python/requirements.txt names: see above"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$home/venv/bin/python" >"$home/python"
  elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip "${pip[@]}" --target "$home/site" -r "$requirements" >&2 || die "pip could not fetch what tests/python/requirements.txt names: see above"
    printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$@"\n' "$home/site" "$(command -v "$python")" >"$home/python"
  else
    die "Python's venv is missing: install it (Debian's package is python3-venv)"
  fi
  chmod +x "$home/python"
  "$home/python" -c 'import jwcrypto.jwt, confluent_kafka.schema_registry.avro, scim2_models.path' >&2 ||
    die "jwcrypto, confluent-kafka or scim2-models was fetched, and cannot be loaded: see above"
}

fetch() {
  local python=${PYTHON:-python3} version key home
  need "$python" "install Python, 3.11 or newer"
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2]) if sys.version_info >= (3, 11) else sys.exit(1)') ||
    die "$python is too old: install Python, 3.11 or newer"
  # Another interpreter or other versions get another folder.
  key=$version-$(cksum <"$requirements" | cut -d ' ' -f 1)
  home=${OKS_PYTHON_HOME:-$here/../../target/python}/$key
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  once "$home" "jwcrypto, confluent-kafka and scim2-models with pip" install_into_home
  echo "$home/python"
}

case ${1:-} in
  fetch) fetch ;;
  *) die "usage: python.sh fetch" ;;
esac
