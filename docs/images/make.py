#!/usr/bin/env python3
"""Makes the pictures of the documentation anew, from what the program prints and draws today.

    docs/images/make.py target/release/kubectl-bootstorm [terminal] [report] [dashboard]

Needs tmux, and Chromium for the pages. All runs are on the simulated cluster, with its default seed.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS, ROWS = 100, 50
TYPED = "kubectl bootstorm run --sandbox --profile slow-storage --end 50"
SOCKET = ["tmux", "-L", "bootstorm-images"]
COLOURS = {1: "#ff7b72", 2: "#3fb950", 3: "#d29922", 4: "#58a6ff", 5: "#bc8cff", 6: "#39c5cf", 7: "#c9d1d9"}
LETTER, LINE, LEFT, TOP = 8.43, 18, 18, 52


def tmux(*args):
    return subprocess.run([*SOCKET, *args], check=True, capture_output=True, text=True).stdout


def screen():
    return [line.rstrip() for line in tmux("capture-pane", "-p", "-e", "-t", "0").splitlines()]


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def storm(binary, folder):
    """The live view in the middle of the storm, and what is printed at the end."""
    command = f"cd {folder} && {binary} {TYPED.split(' ', 2)[2]} --speed 2 --cleanup --yes; sleep 60"
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "env", "-u", "NO_COLOR", "sh", "-c", command)
    try:
        live = []
        for _ in range(3000):
            time.sleep(0.1)
            lines = screen()
            bar = next((i for i, line in enumerate(lines) if plain(line).startswith("storm-1 ")), None)
            view = [] if bar is None else [line for line in lines[bar : bar + 6] if plain(line).strip()]
            if len(view) >= len(live) and re.search(r" (2\d|3\d)/50 ", plain(view[0]) if view else ""):
                live = view
            begin = next((i for i, line in enumerate(lines) if plain(line).startswith("Boot storm run")), None)
            if begin is not None and any("cleaned up" in line for line in lines):
                end = next(i for i, line in enumerate(lines) if i > begin and plain(line).startswith("clean"))
                return live, [line for line in lines[begin:end]]
        raise SystemExit("the run did not come to its end")
    finally:
        tmux("kill-server")


def spans(line):
    """Runs of text of one style: (text, colour, is_bold, is_dim)."""
    colour, bold, dim = "#c9d1d9", False, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b["):
            if part:
                yield part, colour, bold, dim
            continue
        for code in [int(code or 0) for code in part[2:-1].split(";")]:
            if code in (0, 39):
                colour = "#c9d1d9"
            if code in (0, 22):
                bold = dim = False
            bold, dim = bold or code == 1, dim or code == 2
            if 30 <= code <= 37 or 90 <= code <= 97:
                colour = COLOURS.get(code % 10, "#c9d1d9")


def svg(lines, title):
    width = round(LEFT * 2 + COLUMNS * LETTER)
    height = TOP + LINE * len(lines)
    label = html.escape(title, quote=True)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{label}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'
        "'DejaVu Sans Mono',monospace\" font-size=\"14\">",
        f"<title>{label}</title>",
        '<rect width="100%" height="100%" rx="8" fill="#0d1117" stroke="#30363d"/>',
        '<circle cx="22" cy="20" r="6" fill="#ff5f56"/><circle cx="42" cy="20" r="6" fill="#ffbd2e"/>'
        '<circle cx="62" cy="20" r="6" fill="#27c93f"/>',
    ]
    for row, line in enumerate(lines):
        column, parts = 0, []
        for text, colour, bold, dim in spans(line):
            style = (' font-weight="bold"' if bold else "") + (' opacity=".65"' if dim else "")
            parts.append(
                f'<tspan x="{LEFT + column * LETTER:.1f}" textLength="{len(text) * LETTER:.1f}" '
                f'lengthAdjust="spacingAndGlyphs" fill="{colour}"{style}>{html.escape(text)}</tspan>'
            )
            column += len(text)
        if parts:
            out.append(f'<text y="{TOP + LINE * row}" xml:space="preserve">{"".join(parts)}</text>')
    return "\n".join([*out, "</svg>", ""])


def ran(binary, folder, *args):
    """Runs the program; that some VMs did not reach the goal is a result like others."""
    done = subprocess.run([binary, *args], cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{args}: {done.returncode}\n{done.stderr}")
    return done.stdout


def judged(binary, folder, *args):
    """Runs a storm again until the machine had the time to measure it well."""
    for _ in range(8):
        report = json.loads(ran(binary, folder, "run", "--sandbox", "-q", "-o", "json", *args))
        if report["comparison"]["verdict"]:
            return
    raise SystemExit(f"{args}: this machine is too busy")


def runs(binary, folder):
    """Saved results of two kinds of storage and several sizes, some of them twice."""
    results = pathlib.Path(folder) / "results"
    for number, end in enumerate([10, 20, 40, 40, 60, 60]):
        for driver, profile in [("fast", "default"), ("slow", "slow-storage")]:
            tries = pathlib.Path(folder) / f"tries-{number}-{driver}"
            tries.mkdir()
            judged(
                binary, folder, "--profile", profile, "--end", str(end), "--speed", "10", "--seed", str(number + 1),
                "--save-results", "--storage-driver", driver, "--results-folder", str(tries),
            )
            last = sorted(tries.glob("*/*/*"))[-1]
            shutil.copytree(last, results / last.relative_to(tries))


def page(folder, name, size):
    """A page, as a browser without a window shows its beginning."""
    path = pathlib.Path(folder) / f"{name}.html"
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}",
         f"--screenshot={HERE / (name + '.png')}", f"file://{path}"],
        check=True, capture_output=True,
    )


def terminal(binary, folder):
    live, end = storm(binary, folder)
    lines = [f"\x1b[1;32m$\x1b[0m {TYPED}", *live, "", *end]
    title = "A storm on slow storage in the terminal: live view, verdict, recovery curve"
    (HERE / "terminal.svg").write_text(svg(lines, title))


def report(binary, folder):
    slow = ["--profile", "slow-storage", "--end", "60", "--speed", "4"]
    judged(binary, folder, *slow, "--output-file", "html=report.html")
    page(folder, "report", "1240,960")


def dashboard(binary, folder):
    runs(binary, folder)
    ran(binary, folder, "dashboard", "--output-html", "dashboard.html")
    page(folder, "dashboard", "1240,830")


PICTURES = {"terminal": terminal, "report": report, "dashboard": dashboard}


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or PICTURES:
            PICTURES[name](binary, folder)


main()
