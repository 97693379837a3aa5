# What the scripts that fetch and start a part of the tests have in common. Sourced by them; it runs nothing by itself.

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

need_java() {
  local version
  command -v java >/dev/null || die "java is missing: install a Java runtime, 17 or newer"
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ] || die "java is version ${version:-unknown}: install a Java runtime, 17 or newer"
}

# need COMMAND ADVICE
need() {
  command -v "$1" >/dev/null || die "$1 is missing: $2"
}

# once HOME WHAT FUNCTION: makes the folder HOME by FUNCTION, where that is not done yet. What is half-made, or was moved
# (a virtual environment and a class-data archive know their own paths), is made again.
once() {
  local home=$1 what=$2 function=$3
  mkdir -p "$home"
  home=$(cd "$home" && pwd)
  (
    # Two callers at once: the second waits, and finds the work done.
    if command -v flock >/dev/null; then flock 9; fi
    if [ "$(cat "$home/complete" 2>/dev/null)" != "$home" ]; then
      echo "$(basename "$0"): fetching $what" >&2
      rm -f "$home/complete"
      "$function"
      echo "$home" >"$home/complete"
    fi
  ) 9>"$home/lock"
}

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

# archive_classes FILE READY WARM_UP COMMAND...: a class-data archive, with which a Java server starts in half the time.
# Runs COMMAND, whose Java writes FILE.part when it ends, until its output has READY; then WARM_UP (`:` for nothing), with
# the name of its log, and ends it. A server without the archive is slower, but works: a failure here is only told.
archive_classes() {
  local file=$1 ready=$2 warm_up=$3 pid log
  shift 3
  log=$(mktemp)
  "$@" >"$log" 2>&1 &
  pid=$!
  for _ in $(seq 600); do
    if grep -q "$ready" "$log" || ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  "$warm_up" >>"$log" 2>&1 || true
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" || true
  if [ -f "$file.part" ]; then
    mv "$file.part" "$file"
  else
    echo "$(basename "$0"): no class-data archive could be made; starts are slower:" >&2
    tail -n 5 "$log" >&2
  fi
  rm -f "$log"
}
