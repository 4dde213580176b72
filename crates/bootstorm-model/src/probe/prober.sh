# Reads targets on standard input, one a line, and says on standard output when each one answers.
#
#   a ID ping ADDRESS       probe a target until it answers; an ID in use is probed at this address from now on
#   a ID tcp ADDRESS PORT   the same, for a TCP port
#   a ID ssh ADDRESS PORT   the same, for the banner of an SSH server
#   a ID http ADDRESS PORT PATH
#                           the same, for an HTTP status from 200 to 399
#   k ID …                  the same as each of these, but on and on: every answer is said
#   d ID                    forget a target
#   e TEXT                  say "t TEXT": a sign of life
#
# Says first "l ping4|ping6|tcp4|tcp6 WHY" for what it cannot do, and "h 2 script ping4=yes|no ping6=… tcp4=… tcp6=…".
# Then "r ID" when a target answers, "t TEXT" for each echo, "x ID WHY" when a tool says something about a target that
# is no answer and no silence, "o ID" when the kernel looks for a target on the pod's own link. Needs a POSIX shell, sleep, and ping or nc. Ends with all that it began when its input
# ends, when nobody reads what it says, or when no echo was asked for in two minutes.
every=$1
LC_ALL=C
export LC_ALL

has() { command -v "$1" >/dev/null 2>&1; }

# A child that finds nobody reading ends the whole script; its $$ is the script's own process id.
say() { printf '%s\n' "$*" 2>/dev/null || kill "$$"; }

# How to pause: some sleeps know whole seconds only.
nap=$every
case $every in
*.*) sleep 0.0 2>/dev/null || nap=1 ;;
esac

# How often to ping: iputils sets a lower limit for users other than root, an old busybox knows whole seconds only or
# no interval at all, toybox does not know that numbers are wanted. All of them send one packet a second when nothing
# is said.
pace="-i $every"
numbers=-n
refuses() {
  case $(ping $numbers -c 1 -w 1 $pace 127.0.0.1 2>&1) in
  *"minimal interval"*) return 2 ;;
  *"nvalid "* | *nrecognized* | *nknown* | *"needs "*) return 1 ;;
  esac
  return 0
}
if has ping; then
  # shellcheck disable=SC2086 # each is one word or two, or none
  if refuses; [ $? -eq 2 ]; then
    pace='-i 0.2'
  elif ! refuses; then
    pace=
    if ! refuses; then
      numbers=
      pace="-i $every"
      refuses || pace=
    fi
  fi
fi

# How to connect and no more: busybox's small nc has no -z, but can run a program on a connection.
by_scan='' by_running=''
if has nc; then
  case $(nc -z 2>&1 </dev/null) in
  *nvalid* | *nrecognized* | *nknown*)
    case $(nc -h 2>&1 </dev/null) in
    *-e*) by_running='-e true' ;;
    esac
    ;;
  *) by_scan=-z ;;
  esac
fi

# The first line that a tool says against a target, in one line without its own name.
first_line() {
  while read -r line; do
    [ -n "$line" ] && printf '%s' "$line" && return
  done
}

# Whether this pod has an address of version 6 beyond its own link; its scope is 00.
has_v6() {
  while read -r _ _ _ scope _; do
    [ "$scope" = 00 ] && return
  done 2>/dev/null </proc/net/if_inet6
  return 1
}

# Whether a route of version 4 leads beyond the loopback interface. It is presumed where nothing does in either family.
has_v4() {
  while read -r link _; do
    case $link in
    Iface | lo) ;;
    *) return 0 ;;
    esac
  done 2>/dev/null </proc/net/route
  ! [ -r /proc/net/route ] || ! has_v6
}

# An address of version 6 in its 32 digits: $address.
pad() {
  padded='' rest=$1
  while [ -n "$rest" ]; do
    group=${rest%%:*}
    case $rest in
    *:*) rest=${rest#*:} ;;
    *) rest= ;;
    esac
    while [ ${#group} -lt 4 ]; do group=0$group; done
    padded=$padded$group
  done
}
expand() {
  pad "${1%%::*}"
  address=$padded padded=
  case $1 in
  *::*) pad "${1##*::}" ;;
  esac
  while [ $((${#address} + ${#padded})) -lt 32 ]; do address=${address}0; done
  address=$address$padded
}

# Whether no router leads to an address of version 6: the longest route decides. Its flags: 1 up, 2 gateway, 200 reject.
is_direct() {
  expand "$1"
  best=-1 indirect=yes
  while read -r network length _ _ _ _ _ _ flags link; do
    [ "$link" = lo ] || [ $((0x$flags & 1)) -eq 0 ] && continue
    left=$((0x$length / 4)) length=$((0x$length)) ours=$address
    while [ "$left" -gt 0 ]; do
      [ "${ours%"${ours#?}"}" = "${network%"${network#?}"}" ] || continue 2
      ours=${ours#?} network=${network#?} left=$((left - 1))
    done
    [ "$length" -gt "$best" ] || continue
    best=$length indirect=
    [ $((0x$flags & 0x202)) -eq 0 ] || indirect=yes
  done 2>/dev/null </proc/net/ipv6_route
  [ -z "$indirect" ]
}

# Whether the kernel looks for an address on the pod's own link, which it does once a second. It lists those of version 4
# that it has not found; of version 6 every direct one counts.
is_sought() {
  case $1 in
  *:*) is_direct "$1" && return ;;
  *)
    while read -r ip _ flags _; do
      [ "$ip $flags" = "$1 0x0" ] && return
    done 2>/dev/null </proc/net/arp
    ;;
  esac
  return 1
}

# Whether this pod has a default route for an address: then it is a router on the way that says "unreachable" or
# "prohibited", for a guest whose network is not ready. Flags as above.
has_way() {
  case $1 in
  *:*)
    while read -r _ length _ _ _ _ _ _ flags link; do
      [ "$length" = 00 ] && [ "$link" != lo ] && [ $((0x$flags & 0x201)) -eq 1 ] && return
    done 2>/dev/null </proc/net/ipv6_route
    ;;
  *)
    while read -r link network _ flags _; do
      [ "$network" = 00000000 ] && [ "$link" != lo ] && [ $((0x$flags & 0x201)) -eq 1 ] && return
    done 2>/dev/null </proc/net/route
    ;;
  esac
  return 1
}

# Tries a tool on this pod itself. Says why not.
try_ping() {
  has ping || { echo "no ping in the image" && return; }
  # shellcheck disable=SC2086
  said=$(ping $numbers -c 1 -w 1 "$1" 2>&1) && return
  said=$(printf '%s\n' "$said" | grep_not "PING ")
  echo "${said:-ping gets no answer from the pod itself}"
}

# Nobody listens on this port, so that a connection is refused where the tool and the family work.
try_tcp() {
  has nc || { echo "no nc in the image" && return; }
  [ -n "$by_scan$by_running" ] || { echo "its nc cannot connect and leave: it knows neither -z nor -e" && return; }
  # shellcheck disable=SC2086
  said=$(nc $by_scan -w 1 "$1" 1 $by_running 2>&1 </dev/null) && return
  said=$(printf '%s\n' "$said" | first_line)
  case $said in
  *efused* | '') ;;
  *) echo "$said" ;;
  esac
}

# The first line that does not begin so.
grep_not() {
  while read -r line; do
    case $line in
    '' | "$1"* | ---*) ;;
    *) printf '%s' "$line" && return ;;
    esac
  done
}

able() {
  if ! "has_v$3"; then
    why="no address of this family"
  else
    why=$("try_$1" "$2")
  fi
  [ -n "$why" ] && say l "$1$3" "$why" && able="$able $1$3=no" && return
  able="$able $1$3=yes"
}

# The first reply ends the ping that got it. Its process id comes through the pipe that its replies come through. When
# the target is dropped at a moment when no ping is known, this waits for the next one to end that: a ping that is
# left alone writes nothing while nobody answers, and so would never find out that nobody reads.
ping_once() {
  trap 'over=yes; [ -n "$pinger" ] && kill "$pinger" 2>/dev/null && exit' USR1
  trap 'kill "$$"' PIPE
  while read -r one two rest; do
    # A ping that says what is wrong may do so in pieces, with a process id in between.
    [ "$two" = pid ] && one=pid two=$rest
    case $one in
    pid)
      pinger=$two
      [ -n "$over" ] && [ -n "$pinger" ] && kill "$pinger" 2>/dev/null && exit
      ;;
    *)
      case "$two $rest" in
      # A router that knows nobody there is quoted in nearly the same words, without a number.
      "bytes from "*seq=*)
        [ -n "$over" ] || say r "$1"
        [ "$2" = k ] && continue
        kill "$pinger" 2>/dev/null
        exit
        ;;
      "bytes from "* | "packets transmitted"* | *"o route to host"* | *"ost is unreachable"*) ;;
      *)
        case $one in
        PING | Ping | From | --- | rtt | round-trip | pipe | '') ;;
        own) say o "$1" ;;
        *)
          [ -n "$said" ] || say x "$1" "$one" "$two" "$rest"
          said=yes
          ;;
        esac
        ;;
      esac
      ;;
    esac
  done
}

# A ping that ends by itself, such as one without a route, is begun again, at most once a second. What is written is
# also how this finds out that nobody reads; the second time is for a reader that ended before it could set its trap.
ping_on() {
  pinger='' looked=''
  trap 'kill $pinger 2>/dev/null; exit' PIPE
  while printf 'pid\n'; do
    # shellcheck disable=SC2086 # two words or none
    ping $numbers $pace "$1" 2>&1 &
    pinger=$!
    [ -n "$looked" ] || { looked=yes && printf 'pid %s\n' "$pinger" && sleep "$nap" && is_sought "$1" && printf 'own\n'; }
    printf 'pid %s\n' "$pinger" && sleep 1 && printf 'pid %s\n' "$pinger" || kill "$pinger"
    wait "$pinger"
    [ $? -gt 128 ] && exit
  done
}

# Connections overlap, so that a silent guest is tried as often as one that refuses. What the first one says that is
# neither a refusal nor silence is passed on.
tcp_once() {
  trap 'exit' USR1
  first=yes
  while :; do
    (
      trap 'kill "$$"' PIPE
      if [ -z "$first" ]; then
        # shellcheck disable=SC2086 # one of them is empty; a program comes last, as all that follows it is its own
        nc $by_scan -w 1 "$2" "$3" $by_running </dev/null >/dev/null 2>&1 && say r "$1"
        exit
      fi
      # shellcheck disable=SC2086
      said=$(nc $by_scan -w 1 "$2" "$3" $by_running 2>&1 </dev/null) && say r "$1" && exit
      said=$(printf '%s\n' "$said" | first_line)
      case $said in
      '' | *efused* | *"imed out"* | *imeout* | *TIMEOUT* | *"o route to host"* | *"ost is unreachable"*) ;;
      *"etwork is unreachable"* | *"ermission denied"*) has_way "$2" || say x "$1" "$said" ;;
      *) say x "$1" "$said" ;;
      esac
    ) &
    sleep "$nap"
    [ -n "$first" ] && is_sought "$2" && say o "$1"
    first=
  done
}

# Whether the first line is one of HTTP with a status that counts, as for a kubelet.
has_status() {
  read -r version status _ || return
  case $version-$status in
  HTTP/1.*-[23][0-9][0-9]*) return ;;
  esac
  return 1
}

# Whether a line of an SSH server comes; others may come before it.
has_banner() {
  while read -r line; do
    case $line in
    SSH-*) return ;;
    esac
  done
  return 1
}

# The guest has to say something. One connection at a time: servers count those that are open and say nothing.
words_once() {
  trap 'exit' USR1
  host=$3 first=yes
  case $host in
  *:*) host="[$host]" ;;
  esac
  [ "$4" = 80 ] || host=$host:$4
  while :; do
    (
      trap 'kill "$$"' PIPE
      case $2 in
      ssh) nc -w 1 "$3" "$4" </dev/null 2>/dev/null | has_banner ;;
      *)
        printf 'GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bootstorm-prober\r\nConnection: close\r\n\r\n' "$5" "$host" |
          nc -w 1 "$3" "$4" 2>/dev/null | has_status
        ;;
      esac
      [ $? -eq 0 ] && say r "$1" && exit
      exit 1
    ) &
    sleep "$nap"
    [ -n "$first" ] && is_sought "$3" && say o "$1"
    first=
    wait "$!" && [ "$6" != k ] && exit
  done
}

# The one that was is waited for, or each would stay behind as a zombie.
watchdog=
feed_watchdog() {
  [ -n "$watchdog" ] && kill -s USR1 "$watchdog" 2>/dev/null && wait "$watchdog" 2>/dev/null
  (
    others=$!
    trap '[ "$!" = "$others" ] || kill "$!" 2>/dev/null; exit' USR1
    sleep 120 &
    wait "$!"
    kill "$$"
  ) 2>/dev/null &
  watchdog=$!
}

forget() {
  eval "job=\${job_$1:-}; job_$1="
  [ -n "$job" ] && kill -s USR1 "$job" 2>/dev/null
}

# A child that is being made still has its parent's traps and loses what it gets, however long the machine keeps it
# waiting. Only this signal cannot be lost.
leave() {
  kill -s KILL 0
}
# Children are ended by USR1, which is not among these: a signal that reaches a child before it is done with its
# parent's traps is lost to some shells.
trap leave TERM HUP INT PIPE

able=
able ping 127.0.0.1 4
able ping ::1 6
able tcp 127.0.0.1 4
able tcp ::1 6
# shellcheck disable=SC2086 # one word for each
say h 2 script $able
feed_watchdog
while read -r op id kind address port path; do
  if [ "$op" = e ]; then
    say t "$id"
    feed_watchdog
    continue
  fi
  case $id in
  '' | *[!0-9]*) continue ;;
  esac
  case $op-$kind in
  [ak]-ping)
    forget "$id"
    over='' pinger='' said=''
    ping_on "$address" 2>/dev/null | ping_once "$id" "$op" 2>/dev/null &
    eval "job_$id=\$!"
    ;;
  [ak]-ssh | [ak]-http)
    forget "$id"
    words_once "$id" "$kind" "$address" "$port" "$path" "$op" 2>/dev/null &
    eval "job_$id=\$!"
    ;;
  [ak]-tcp)
    forget "$id"
    tcp_once "$id" "$address" "$port" 2>/dev/null &
    eval "job_$id=\$!"
    ;;
  d-) forget "$id" ;;
  esac
done
leave
