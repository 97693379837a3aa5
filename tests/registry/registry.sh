#!/usr/bin/env bash
# A real schema registry for the tests: Apicurio, which speaks Confluent's REST API, from Maven Central. Needs Java 17 or
# newer, and Maven for the first fetch. (Confluent's own registry is in no public package registry.)
#
#   registry.sh fetch                    download it (109 MB) into target/registry, once; prints its folder
#   registry.sh start PORT [OPTION...]   run it on 127.0.0.1:PORT in the foreground, with all that it knows in memory.
#                                        The script becomes the registry: its process id is the registry's.
#                                        Ready when standard output says "Listening on". The base URL of Confluent's API:
#                                        http://127.0.0.1:PORT/apis/ccompat/v7
#     --set KEY=VALUE                    one more property of Apicurio or of Quarkus, repeatable
#     --java OPTION                      one more option of the Java machine, repeatable
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"
java_options=(-Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

# The last version that runs on Java 17. Another version gets another folder.
version=3.0.9
sha256=2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43
home=${OKS_REGISTRY_HOME:-$here/../../target/registry}/$version
archive=$home/registry.jsa

# The classes of the first request, which is the slow one.
first_request() (
  exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /apis/ccompat/v7/subjects HTTP/1.0\r\n\r\n' >&3 && cat <&3
)

# By a version of Maven's plugin that takes the file alone: newer ones read the POM first, whose parent is not on Central.
download() {
  local tarball=$home/app.tar.gz port
  need mvn "install Maven"
  rm -rf "$home/app" "$archive"
  mvn -B -q -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:get -Dtransitive=false \
    -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -Ddest="$tarball" >&2
  [ "$(sha256sum <"$tarball" | cut -d ' ' -f 1)" = "$sha256" ] || die "Apicurio $version has another SHA-256 than it had"
  mkdir "$home/app"
  tar -xzf "$tarball" -C "$home/app"
  rm "$tarball"
  # A start without the archive takes 3.6 s, with it 1.2 s.
  port=$(free_port)
  archive_classes "$archive" 'Listening on' first_request \
    "$0" start "$port" --java "-XX:ArchiveClassesAtExit=$archive.part"
}

fetch() {
  need_java
  once "$home" "Apicurio Registry from Maven Central" download
  (cd "$home" && pwd)
}

start() {
  [ $# -ge 1 ] || die "usage: registry.sh start PORT [OPTION...]"
  local port=$1
  shift
  local properties=() java_more=()
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || die "$1 needs a value"
    case $1 in
      --set) properties+=("-D$2") ;;
      --java) java_more+=("$2") ;;
      *) die "unknown option $1" ;;
    esac
    shift 2
  done
  [ -d "$home/app" ] || die "the registry is not there yet: run registry.sh fetch"
  if [ -f "$archive" ]; then java_options+=("-XX:SharedArchiveFile=$archive"); fi
  exec java "${java_options[@]}" ${java_more[@]+"${java_more[@]}"} \
    '-Dquarkus.log.category."io.quarkus".level=INFO' -Dquarkus.http.host=127.0.0.1 "-Dquarkus.http.port=$port" \
    ${properties[@]+"${properties[@]}"} -jar "$home"/app/apicurio-registry-app-*-runner.jar
}

case ${1:-} in
  fetch) fetch ;;
  start)
    shift
    start "$@"
    ;;
  *) die "usage: registry.sh fetch | registry.sh start PORT [OPTION...]" ;;
esac
