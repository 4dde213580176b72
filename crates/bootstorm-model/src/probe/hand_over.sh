# Goes before the script: runs the prober program in its place, if there is one for this machine.
#
# Says "n MACHINE" where the program is not there yet, and reads the number of its bytes, a line end, and the bytes; 0
# where there is none for this machine. Goes on as the script where the program does not run, and says why.
program=${3:-/nowhere}/prober-$4

# A program counts once it is complete: one that was cut short may still run.
hand_over() {
  take=
  [ "$(printf abc | head -c 2 2>/dev/null)" = ab ] && take=head
  [ "$take" ] || [ "$(printf abc | dd bs=1 count=2 2>/dev/null)" != ab ] || take=dd
  [ "$take" ] || { why='the image has neither head -c nor dd' && return; }
  # What is left of transfers that were cut off.
  rm -f "$program".* 2>/dev/null
  new=$program.$$
  true 2>/dev/null >"$new" || { why="$3 cannot be written to" && return; }
  machine=$(uname -m 2>/dev/null) || read -r machine 2>/dev/null </proc/sys/kernel/arch
  printf 'n %s\n' "${machine:-unknown}"
  size=
  read -r size
  [ "$size" -gt 0 ] 2>/dev/null || { rm -f "$new" && return; }
  case $take in
  head) head -c "$size" >"$new" ;;
  *) dd bs=1 count="$size" 2>/dev/null >"$new" ;;
  esac
  # What the kernel cannot run, many shells read as a script: with no command, and nothing to read.
  why=$(chmod 755 "$new" 2>&1 && PATH=/nowhere "$new" --check "$size" 2>&1 >/dev/null </dev/null) && [ -x "$new" ] || {
    rm -f "$new"
    case $why in
    *ELF* | "$new: "*) why='Exec format error' ;;
    esac
    why="it does not run here: ${why%%"
"*}"
    return
  }
  why=
  mv -f "$new" "$program" 2>/dev/null || program=$new
}

runs() { [ -x "$program" ] && "$program" --check >/dev/null 2>&1; }

if [ -n "$3" ]; then
  why=
  runs || hand_over "$@"
  [ -z "$why" ] || printf 'w the prober program is not used: %s\n' "$why"
  ! runs || exec "$program" "$2"
fi

