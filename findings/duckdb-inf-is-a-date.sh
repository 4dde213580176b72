#!/usr/bin/env bash
# Package: duckdb 2.0.1 (PyPI).
#
# Behaviour: read_csv gives a column whose every cell is `inf` the type DATE; clients show 9999-12-31. A column of `inf`
# and numbers is text. `infinity` does the same as `inf`. Whoever exports times in which a percentile was not reached by
# anybody, and writes infinity for it as Prometheus does, gets dates where all are infinite.
#
# Seen: [('inf', 'DATE', '9999-12-31'), ('inf,1.5', 'VARCHAR', 'inf'), ('infinity', 'DATE', '9999-12-31')]
#
# Guess that misses: `inf` is a floating-point number, or text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import duckdb

seen = []
for cells in (["inf", "inf"], ["inf", "1.5"], ["infinity", "infinity"]):
    with open("times.csv", "w") as file:
        file.write("phase,p99\n" + "".join(f"storm,{cell}\n" for cell in cells))
    kind, value = duckdb.sql("select typeof(p99), p99 from read_csv('times.csv')").fetchall()[0]
    seen.append((",".join(dict.fromkeys(cells)), kind, str(value)))
print("duckdb", duckdb.__version__, seen)
assert duckdb.__version__ == "2.0.1"
assert seen == [("inf", "DATE", "9999-12-31"), ("inf,1.5", "VARCHAR", "inf"), ("infinity", "DATE", "9999-12-31")]
PYTHON
