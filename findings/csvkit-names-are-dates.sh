#!/usr/bin/env bash
# Package: csvkit 2.1.0 with agate 1.14.2 (PyPI).
#
# Behaviour: csvjson makes dates of a column of short names. `mon` becomes day 8 and `may` month 5 of the year 1, `9y` the
# year 10; a column of `1d` and `2h` becomes times. Which of these happens depends on the other cells of the column: beside
# one name such as `web`, all stay text. Quotes make no difference.
#
# Seen: {'mon may': '0001-01-08 0001-05-01', '6d 9y': '0001-01-07 0010-01-01', '1d 2h': '1 day, 0:00:00 2:00:00',
#        'mon web': 'mon web'}
#
# Guess that misses: a cell that is all letters is text, and only what looks like YYYY-MM-DD is a date.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet csvkit==2.1.0 agate==1.14.2
venv/bin/python - <<'PYTHON'
import json, subprocess

seen = {}
for names in ("mon may", "6d 9y", "1d 2h", "mon web"):
    with open("vms.csv", "w") as file:
        file.write("vm,seconds\n" + "".join(f'"{name}",1.5\n' for name in names.split()))
    rows = json.loads(subprocess.run(["venv/bin/csvjson", "vms.csv"], capture_output=True, check=True).stdout)
    seen[names] = " ".join(row["vm"] for row in rows)
print(seen)
assert seen == {
    "mon may": "0001-01-08 0001-05-01",
    "6d 9y": "0001-01-07 0010-01-01",
    "1d 2h": "1 day, 0:00:00 2:00:00",
    "mon web": "mon web",
}, seen
PYTHON
