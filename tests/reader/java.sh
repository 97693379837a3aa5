#!/usr/bin/env bash
# The reader of another ecosystem: Avro's own Java library and Kafka's own client. Needs Java 17 or newer, and Maven for the
# first fetch.
#
#   java.sh fetch            makes it under target/reader, once (some seconds), and prints its class path
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
  echo "java.sh: $*" >&2
  exit 1
}

fetch() {
  local version key home jars
  command -v java >/dev/null || die "java is missing: install a Java runtime, 17 or newer"
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || die "java is version ${version:-unknown}: install a Java runtime, 17 or newer"
  # Other versions, or another text of the reader, get another folder.
  key=$(cat "$here/pom.xml" "$here/Reader.java" | cksum | cut -d ' ' -f 1)
  home=${OKS_READER_HOME:-$here/../../target/reader}/$key
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  (
    # Two callers at once: the second waits, and finds the work done.
    if command -v flock >/dev/null; then flock 9; fi
    if [ ! -e "$home/complete" ]; then
      command -v mvn >/dev/null || die "mvn is missing: install Maven"
      echo "java.sh: fetching Avro and Kafka's client from Maven Central" >&2
      rm -rf "$home/libs" "$home/classes"
      mvn -B -q -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$home/libs" >&2
      # This compiler knows no wildcards.
      jars=$(IFS=:; set -- "$home"/libs/*.jar; echo "$*")
      java -jar "$home"/libs/ecj-*.jar -17 -classpath "$jars" -d "$home/classes" -nowarn "$here/Reader.java" >&2 ||
        die "the reader could not be compiled: see above"
      touch "$home/complete"
    fi
  ) 9>"$home/lock"
  echo "$home/classes:$home/libs/*"
}

case ${1:-} in
  fetch) fetch ;;
  *) die "usage: java.sh fetch" ;;
esac
