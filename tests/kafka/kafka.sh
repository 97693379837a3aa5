#!/usr/bin/env bash
# A real Apache Kafka (KRaft) for the tests, from Maven Central. Needs Java 17 or newer, and Maven for the first fetch.
#
#   kafka.sh fetch                       download the broker (44 MB) into target/kafka, once; prints its folder
#   kafka.sh start DIR PORT [OPTION...]  run a broker on 127.0.0.1:PORT in the foreground, its state in DIR.
#                                        The script becomes the broker: its process id is the broker's.
#                                        Ready when standard output says "Kafka Server started".
#                                        Started again on the same DIR, it keeps what it had.
#     --controller-port P                port of the KRaft controller (default: PORT + 1)
#     --proxied LISTEN:ADVERTISED        a second listener on LISTEN that tells clients to come to ADVERTISED, so that
#                                        a client that bootstraps through a TCP proxy on ADVERTISED stays behind it
#     --login PORT:USER:PASSWORD         one more listener, where USER logs in (SASL/PLAIN, no TLS), and an authoriser that
#                                        lets USER do only what ACLs grant; who comes without a login may do everything
#     --listener NAME:PORT:PROTOCOL      one more listener, as TLS:9094:SASL_SSL, repeatable; its settings come with --set,
#                                        as --set listener.name.tls.ssl.keystore.location=…
#     --scram USER:PASSWORD              a user of SCRAM-SHA-512, stored when DIR is made
#     --java OPTION                      one more option of the Java machine, repeatable
#     --set KEY=VALUE                    one more line of server.properties, repeatable; the last one wins
#     --properties FILE                  more lines of server.properties, from a file
#     --initial-controllers LIST         several brokers: `1@127.0.0.1:P1:DIRECTORY_ID,2@…`, the same for each; with it
#                                        --set node.id=N and --set controller.quorum.bootstrap.servers=…
#
#   kafka.sh start-as-image DIR          run a broker as the image apache/kafka does: its settings are the environment's KAFKA_*,
#                                        which the image's own program (it is among the broker's classes) turns into
#                                        server.properties, and formats the storage; its configuration lies in DIR
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster_id=4L6g3nShT-eMCtK--X86sw
java_options=(-Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=$here/log4j2.yaml")

# The folder is named after what it is made from: another version of the broker gets another folder.
key=$(cksum <"$here/pom.xml" | cut -d ' ' -f 1)
home=${OKS_KAFKA_HOME:-$here/../../target/kafka}/$key
archive=$home/kafka.jsa

# shellcheck source=tests/fetch.sh
. "$here/../fetch.sh"

# The same jars in the same order every time: the class-data archive is only used when the class path is the same.
class_path() {
  local jars=("$home"/libs/*.jar)
  local IFS=:
  echo "${jars[*]}"
}

download() {
  local scratch
  need mvn "install Maven"
  rm -rf "$home/libs" "$archive"
  mvn -B -q -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$home/libs" >&2
  # A start without the archive takes 4.5-8 s, with it about 3 s.
  scratch=$(mktemp -d)
  archive_classes "$archive" 'Kafka Server started' : \
    "$0" start "$scratch/broker" "$(free_port)" --controller-port "$(free_port)" \
    --java "-XX:ArchiveClassesAtExit=$archive.part"
  rm -rf "$scratch"
}

fetch() {
  need_java
  once "$home" "Apache Kafka from Maven Central" download
  (cd "$home" && pwd)
}

start() {
  [ $# -ge 2 ] || die "usage: kafka.sh start DIR PORT [OPTION...]"
  local dir=$1 port=$2
  shift 2
  local controller_port=$((port + 1)) proxied='' login='' scram='' initial=(--standalone) extra=() files=()
  local more=() java_more=()
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || die "$1 needs a value"
    case $1 in
      --controller-port) controller_port=$2 ;;
      --proxied) proxied=$2 ;;
      --login) login=$2 ;;
      --listener) more+=("$2") ;;
      --scram) scram=$2 ;;
      --java) java_more+=("$2") ;;
      --set) extra+=("$2") ;;
      --properties) files+=("$2") ;;
      --initial-controllers) initial=(--initial-controllers "$2") ;;
      *) die "unknown option $1" ;;
    esac
    shift 2
  done
  [ -d "$home/libs" ] || die "the broker is not there yet: run kafka.sh fetch"

  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  # Held by the broker that this script becomes, for as long as it lives: a second one would overwrite its settings.
  if command -v flock >/dev/null; then
    exec 8>"$dir/lock"
    flock -n 8 || die "$dir is in use by another broker: end it, or name another folder"
  fi
  local listeners="PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port"
  local protocols=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT,LOGIN:SASL_PLAINTEXT
  local listener name listener_port protocol
  for listener in ${more[@]+"${more[@]}"}; do
    IFS=: read -r name listener_port protocol <<<"$listener"
    listeners="$listeners,$name://127.0.0.1:$listener_port"
    protocols="$protocols,$name:$protocol"
  done
  local advertised=$listeners
  if [ -n "$proxied" ]; then
    advertised="$listeners,PROXIED://127.0.0.1:${proxied#*:}"
    listeners="$listeners,PROXIED://127.0.0.1:${proxied%:*}"
  fi
  if [ -n "$login" ]; then
    local login_port user password
    IFS=: read -r login_port user password <<<"$login"
    advertised="$advertised,LOGIN://127.0.0.1:$login_port"
    listeners="$listeners,LOGIN://127.0.0.1:$login_port"
  fi
  {
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller_port
listeners=$listeners
advertised.listeners=$advertised
listener.security.protocol.map=$protocols
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=1000
log.cleaner.dedupe.buffer.size=2097152
PROPERTIES
    if [ -n "$login" ]; then
      cat <<PROPERTIES
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$user="$password";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
PROPERTIES
    fi
    if [ ${#files[@]} -gt 0 ]; then cat "${files[@]}"; fi
    if [ ${#extra[@]} -gt 0 ]; then printf '%s\n' "${extra[@]}"; fi
  } >"$dir/server.properties"

  local classes java=(java "${java_options[@]}")
  classes=$(class_path)
  if [ -f "$archive" ]; then java+=("-XX:SharedArchiveFile=$archive"); fi

  # Formatted once, and only then marked: a start that was killed half-way formats again.
  if [ ! -e "$dir/formatted" ]; then
    rm -rf "$dir/data"
    local credentials=()
    if [ -n "$scram" ]; then credentials=(--add-scram "SCRAM-SHA-512=[name=${scram%%:*},password=${scram#*:}]"); fi
    "${java[@]}" -cp "$classes" kafka.tools.StorageTool format \
      ${credentials[@]+"${credentials[@]}"} "${initial[@]}" -t "$cluster_id" -c "$dir/server.properties"
    touch "$dir/formatted"
  fi
  java+=(${java_more[@]+"${java_more[@]}"})
  exec "${java[@]}" "-Dkafka.logs.dir=$dir" -cp "$classes" kafka.Kafka "$dir/server.properties"
}

start_as_image() {
  [ $# -eq 1 ] || die "usage: kafka.sh start-as-image DIR"
  local dir=$1 classes java=(java "${java_options[@]}")
  [ -d "$home/libs" ] || die "the broker is not there yet: run kafka.sh fetch"
  mkdir -p "$dir/default" "$dir/mounted" "$dir/final"
  classes=$(class_path)
  if [ -f "$archive" ]; then java+=("-XX:SharedArchiveFile=$archive"); fi
  "${java[@]}" -cp "$classes" kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir "$dir/default" --mounted-configs-dir "$dir/mounted" --final-configs-dir "$dir/final"
  exec "${java[@]}" "-Dkafka.logs.dir=$dir" -cp "$classes" kafka.Kafka "$dir/final/server.properties"
}

case ${1:-} in
  fetch) fetch ;;
  start)
    shift
    start "$@"
    ;;
  start-as-image)
    shift
    start_as_image "$@"
    ;;
  *) die "usage: kafka.sh fetch | kafka.sh start DIR PORT [OPTION...] | kafka.sh start-as-image DIR" ;;
esac
