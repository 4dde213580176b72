#!/usr/bin/env python3
"""Measures what probing costs and how late it sees guests, with real programs in network namespaces.

    benches/prober.py program 1000          the prober program, 1,000 guests
    benches/prober.py script 300            the script, with the tools of this machine
    benches/prober.py program 1000 tcp:22   connections in place of pings

Needs root, iproute2, util-linux. The prober runs as a pod does: user 65534, no capabilities. Guests are addresses behind
a router; each one begins to answer at an instant that is known to about 0.2 ms, in random order.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = f"{ROOT}/crates/bootstorm-model/src/probe"
PROBER, GUESTS = f"bench-{os.getpid()}-p", f"bench-{os.getpid()}-g"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
WAITING = 15.0


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def guest(number):
    return f"10.77.{number // 250 + 1}.{number % 250 + 1}"


def namespaces(tcp):
    ip("netns", "add", PROBER)
    ip("netns", "add", GUESTS)
    ip("-n", PROBER, "link", "add", "probe", "type", "veth", "peer", "name", "guest", "netns", GUESTS)
    for name, link, address in ((PROBER, "probe", "10.78.0.1/30"), (GUESTS, "guest", "10.78.0.2/30")):
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", link, "up")
        ip("-n", name, "addr", "add", address, "dev", link)
    ip("-n", PROBER, "route", "add", "10.77.0.0/16", "via", "10.78.0.2")
    ip("-n", GUESTS, "route", "add", "blackhole", "10.77.0.0/16")
    in_prober("sh", "-c", "echo 0 65535 >/proc/sys/net/ipv4/ping_group_range")
    if tcp:
        listen = f"import socket,time; s=socket.create_server(('', {tcp}), backlog=4096); time.sleep(9999)"
        return subprocess.Popen(["ip", "netns", "exec", GUESTS, sys.executable, "-c", listen])
    return None


def in_prober(*words):
    subprocess.run(["ip", "netns", "exec", PROBER, *words], check=True)


def command(kind):
    if kind == "script":
        script = open(f"{MODEL}/prober.sh").read()
        # A copy has no file capability, which the bounding set would refuse.
        tools = tempfile.mkdtemp()
        os.chmod(tools, 0o755)
        for tool in ("sh", "sleep", "ping", "nc"):
            shutil.copy(os.path.realpath(shutil.which(tool)), f"{tools}/{tool}")
        every = sys.argv[4] if len(sys.argv) > 4 else "0.2"
        return ["/usr/bin/env", f"PATH={tools}", "sh", "-c", script, "bootstorm-prober", every]
    if "PROBER" not in os.environ:
        subprocess.run(
            ["cargo", "build", "-q", "--release", "--no-default-features", "-p", "bootstorm-prober", "--bin", "bootstorm-prober"],
            cwd=ROOT,
            check=True,
        )
    target = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
    program = os.environ.get("PROBER", f"{target}/release/bootstorm-prober")
    return [program, sys.argv[4] if len(sys.argv) > 4 else "0.05"]


def cost(group):
    """Processor time of a process group so far, in seconds, with its children that are over."""
    total = 0.0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = open(f"/proc/{entry}/stat").read().rsplit(") ", 1)[1].split()
            if int(fields[2]) == group:
                total += int(open(f"/proc/{entry}/schedstat").read().split()[0]) / 1e9
                total += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError):
            pass
    return total


def main():
    kind, count = sys.argv[1], int(sys.argv[2])
    probe = sys.argv[3] if len(sys.argv) > 3 else "ping"
    tcp = int(probe.split(":")[1]) if ":" in probe else 0
    listener = namespaces(tcp)
    try:
        run = ["ip", "netns", "exec", PROBER, *NOBODY, *command(kind)]
        prober = subprocess.Popen(
            run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True
        )
        reached, others = {}, []

        def read():
            for line in prober.stdout:
                word, _, rest = line.strip().partition(" ")
                if word == "r":
                    reached.setdefault(int(rest), time.monotonic())
                elif word != "t":
                    others.append(line)
                    if len(others) <= 5:
                        print(" ", line.strip())

        threading.Thread(target=read, daemon=True).start()
        ids = list(range(count))
        for number in ids:
            what = f"tcp {guest(number)} {tcp}" if tcp else f"ping {guest(number)}"
            prober.stdin.write(f"a {number} {what}\n")
        time.sleep(5)
        before, began = cost(prober.pid), time.monotonic()
        time.sleep(WAITING)
        took = time.monotonic() - began
        print(f"{kind}, {count} waiting guests, {probe}: {(cost(prober.pid) - before) / took * 60:.2f} s of processor time a minute")
        boot = subprocess.Popen(["ip", "-n", GUESTS, "-batch", "-"], stdin=subprocess.PIPE, text=True, bufsize=1)
        random.Random(1).shuffle(ids)
        at = {}
        for number in ids:
            at[number] = time.monotonic()
            boot.stdin.write(f"addr add {guest(number)} dev lo\n")
            time.sleep(random.uniform(0.005, 0.025))
            if number % 100 == 0:
                prober.stdin.write("e 1\n")
        boot.stdin.close()
        until = time.monotonic() + 10
        while len(reached) < count and time.monotonic() < until:
            time.sleep(0.1)
        errors = sorted((reached[number] - at[number]) * 1000 for number in reached)
        rank = lambda share: errors[min(int(len(errors) * share), len(errors) - 1)]
        print(
            f"  {len(errors)} of {count} seen; error p50 {rank(0.5):.1f} ms, p99 {rank(0.99):.1f} ms, max {errors[-1]:.1f} ms"
        )
        prober.stdin.close()
        prober.wait(10)
    finally:
        if listener:
            listener.kill()
        for name in (PROBER, GUESTS):
            subprocess.run(["ip", "netns", "del", name], check=False)


main()
