# Goes before the script: runs the prober program in its place, if there is one for this machine.
#
# Says "n MACHINE" where the program is not there yet, and reads the number of its bytes, a line end, and the bytes; 0
# where there is none for this machine. Goes on as the script where the program does not run.
program=${3:-/nowhere}/prober-$4

runs() { [ -x "$program" ] && "$program" --check >/dev/null 2>&1; }

if [ -n "$3" ] && ! runs && true 2>/dev/null >"$program.$$"; then
  printf 'n %s\n' "$(uname -m 2>/dev/null)"
  read -r size
  if [ "$size" -gt 0 ] 2>/dev/null; then
    if command -v head >/dev/null 2>&1; then
      head -c "$size" >"$program.$$"
    else
      dd bs=1 count="$size" 2>/dev/null >"$program.$$"
    fi
    chmod 755 "$program.$$" && mv -f "$program.$$" "$program"
    runs || printf 'w the prober program does not run here: %s\n' "$("$program" --check 2>&1 >/dev/null)"
  else
    rm -f "$program.$$"
  fi
fi
if [ -n "$3" ] && runs; then
  exec "$program" "$2"
fi

