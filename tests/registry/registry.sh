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
java_options=(-Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

# The last version that runs on Java 17. Another version gets another folder.
version=3.0.9
sha256=2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43
home=${OKS_REGISTRY_HOME:-$here/../../target/registry}/$version
archive=$home/registry.jsa

die() {
  echo "registry.sh: $*" >&2
  exit 1
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# A start without the archive takes 3.6 s, with it 1.2 s. It is written when a registry that was told to ends.
# A registry without it is slower, but works: a failure here is only told.
build_archive() {
  local port pid log
  log=$(mktemp)
  port=$(free_port)
  "${BASH_SOURCE[0]}" start "$port" --java "-XX:ArchiveClassesAtExit=$archive.part" >"$log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    if grep -q 'Listening on' "$log" || ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  # The classes of the first request, which is the slow one.
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /apis/ccompat/v7/subjects HTTP/1.0\r\n\r\n' >&3 && cat <&3) \
    >>"$log" 2>&1 || true
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" || true
  if [ -f "$archive.part" ]; then
    mv "$archive.part" "$archive"
  else
    echo "registry.sh: no class-data archive could be made; registries start more slowly:" >&2
    tail -n 5 "$log" >&2
  fi
  rm -f "$log"
}

need_java() {
  local version
  command -v java >/dev/null || die "java is missing: install a Java runtime, 17 or newer"
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || die "java is version ${version:-unknown}: install a Java runtime, 17 or newer"
}

# By a version of Maven's plugin that takes the file alone: newer ones read the POM first, whose parent is not on Central.
download() {
  local tarball=$home/app.tar.gz
  mvn -B -q -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:get -Dtransitive=false \
    -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -Ddest="$tarball" >&2
  [ "$(sha256sum <"$tarball" | cut -d ' ' -f 1)" = "$sha256" ] || die "Apicurio $version has another SHA-256 than it had"
  mkdir "$home/app"
  tar -xzf "$tarball" -C "$home/app"
  rm "$tarball"
}

fetch() {
  need_java
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  archive=$home/registry.jsa
  (
    # Two callers at once: the second waits, and finds the work done.
    if command -v flock >/dev/null; then flock 9; fi
    if [ ! -e "$home/complete" ]; then
      command -v mvn >/dev/null || die "mvn is missing: install Maven"
      echo "registry.sh: fetching Apicurio Registry from Maven Central" >&2
      rm -rf "$home/app" "$archive"
      download
      build_archive
      touch "$home/complete"
    fi
  ) 9>"$home/lock"
  echo "$home"
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
