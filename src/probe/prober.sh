# Reads targets on standard input, one a line, and says on standard output when each one answers.
#
#   a ID ping ADDRESS       probe a target until it answers
#   a ID tcp ADDRESS PORT   the same, for a TCP port
#   d ID                    forget a target
#   e TEXT                  say "t TEXT": a sign of life
#
# Says "h 1 ping=yes|no nc=yes|no" first, then "r ID" when a target answers, "t TEXT" for each echo, "x ID WHY" when a
# target cannot be probed. Needs a POSIX shell, sleep, and ping or nc. Ends with all that it began when its input
# ends, or when no line came for two minutes.
every=$1
LC_ALL=C
export LC_ALL

tool() { if command -v "$1" >/dev/null 2>&1; then printf yes; else printf no; fi; }

# The first reply ends the ping that got it. Its process id comes through the pipe that its replies come through.
ping_once() {
  trap 'kill $pinger 2>/dev/null; exit' TERM
  pinger=
  while read -r one two rest; do
    case $one in
    pid) pinger=$two ;;
    up) ;;
    *)
      case "$two $rest" in
      "bytes from "*)
        printf 'r %s\n' "$1"
        kill "$pinger" 2>/dev/null
        exit
        ;;
      *ermitted* | *ermission* | *"not found"* | *nvalid*) printf 'x %s %s %s %s\n' "$1" "$one" "$two" "$rest" ;;
      esac
      ;;
    esac
  done
}

# "up" finds out whether anybody still reads, before another ping is begun.
ping_on() {
  while printf 'up\n'; do
    ping -n -i "$every" "$1" 2>&1 &
    printf 'pid %s\n' "$!"
    wait "$!"
    [ $? -gt 128 ] && exit
    sleep 1
  done
}

# Connections overlap, so that a silent guest is tried as often as one that refuses.
tcp_once() {
  trap 'exit' TERM
  while :; do
    (nc -z -w 1 "$2" "$3" </dev/null >/dev/null 2>&1 && printf 'r %s\n' "$1") &
    sleep "$every"
  done
}

watchdog=
feed_watchdog() {
  [ -n "$watchdog" ] && kill "$watchdog" 2>/dev/null
  (
    trap 'kill $nap 2>/dev/null; exit' TERM
    sleep 120 &
    nap=$!
    wait
    kill "$$"
  ) &
  watchdog=$!
}
leave() {
  trap '' TERM
  kill 0
  exit 0
}
trap leave TERM HUP INT PIPE

printf 'h 1 ping=%s nc=%s\n' "$(tool ping)" "$(tool nc)"
feed_watchdog
while read -r op id kind address port; do
  case $op in
  a)
    case $kind in
    ping) ping_on "$address" | ping_once "$id" & ;;
    tcp) tcp_once "$id" "$address" "$port" & ;;
    esac
    eval "job_$id=\$!"
    ;;
  d)
    eval "job=\${job_$id:-}"
    [ -n "$job" ] && kill "$job" 2>/dev/null
    unset "job_$id"
    ;;
  e)
    printf 't %s\n' "$id"
    feed_watchdog
    ;;
  esac
done
leave
