#!/usr/bin/env bash
# The reader of another ecosystem: Avro's own Java library and Kafka's own client. Needs Java 17 or newer, and Maven for the
# first fetch.
#
#   java.sh fetch            makes it under target/reader, once (some seconds), and prints its class path
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

compile() {
  local jars
  need mvn "install Maven"
  rm -rf "$home/libs" "$home/classes"
  mvn -B -q -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/libs" >&2
  # This compiler knows no wildcards.
  jars=$(IFS=:; set -- "$home"/libs/*.jar; echo "$*")
  java -jar "$home"/libs/ecj-*.jar -17 -classpath "$jars" -d "$home/classes" -nowarn "$here/Reader.java" >&2 ||
    die "the reader could not be compiled: see above"
}

fetch() {
  local key home
  need_java
  # Other versions, or another text of the reader, get another folder.
  key=$(cat "$here/pom.xml" "$here/Reader.java" | cksum | cut -d ' ' -f 1)
  home=${OKS_READER_HOME:-$here/../../target/reader}/$key
  once "$home" "Avro and Kafka's client from Maven Central" compile
  home=$(cd "$home" && pwd)
  echo "$home/classes:$home/libs/*"
}

case ${1:-} in
  fetch) fetch ;;
  *) die "usage: java.sh fetch" ;;
esac
