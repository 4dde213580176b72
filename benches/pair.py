#!/usr/bin/env python3
"""Compares what two builds of this program cost, side by side on this machine.

    benches/pair.py OLD NEW --vms 500 --pairs 5
    benches/pair.py OLD NEW --own --vms 500 --pairs 5 --flags '--explain=false --probe none'

OLD and NEW are release binaries. They take turns on clusters that NEW simulates from the same seed, each with a process of
its own; `--own` lets each build simulate its own cluster, which is how the simulation is compared. Prints for each phase the
medians of processor time, peak memory, bytes that watches delivered and requests, per VM where that makes sense, and NEW in
parts of OLD.
"""

import argparse
import json
import os
import shlex
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

PHASES = ("setup", "create", "stop", "storm", "report", "cleanup")


def words(phase, args):
    flags = shlex.split(args.flags)
    if phase == "setup":
        probe = [flag for flag in flags if "probe" in flag or flag in ("none", "agent")]
        return ["setup", "--end", str(args.vms), "--source", "blank", *probe]
    if phase == "cleanup":
        return ["cleanup", "--yes"]
    if phase == "report":
        return ["report", "-o", "json"]
    rest = [flag for flag in flags if "probe" not in flag and flag not in ("none", "agent")]
    return [phase, "--concurrency", str(min(args.vms, 500)), *rest]


def cost(command, **more):
    """Processor time in seconds, peak memory in MiB, exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)
    _, status, usage = os.wait4(child.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


class Cluster:
    def __init__(self, binary, home, args):
        self.kubeconfig = os.path.join(home, "kubeconfig")
        nodes = str(max(3, args.vms // 60))
        command = [binary, "sandbox", "--nodes", nodes, "--seed", "7", "--speed", str(args.speed)]
        help_text = subprocess.run([binary, "sandbox", "--help"], capture_output=True, text=True).stdout
        flag = "--write-kubeconfig" if "--write-kubeconfig" in help_text else "--kubeconfig"
        self.process = subprocess.Popen(
            [*command, flag, self.kubeconfig], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while not os.path.exists(self.kubeconfig):
            if time.monotonic() > until:
                sys.exit("the sandbox does not come up")
            time.sleep(0.05)
        text = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, "config", "view", "--raw", "-o", "json"],
            capture_output=True, text=True, check=True,
        ).stdout
        config = json.loads(text)
        self.server = config["clusters"][0]["cluster"]["server"]
        self.token = config["users"][0]["user"]["token"]

    def ledger(self):
        """Bytes that watches delivered, and requests, so far."""
        context = ssl._create_unverified_context()
        request = urllib.request.Request(
            f"{self.server}/bootstorm/ledger", headers={"Authorization": f"Bearer {self.token}"}
        )
        book = json.load(urllib.request.urlopen(request, context=context))
        return sum(one["bytes"] for one in book.get("delivered", [])), sum(one["received"] for one in book["totals"])

    def end(self):
        self.process.terminate()
        _, _, usage = os.wait4(self.process.pid, 0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run(binary, simulator, args):
    figures = {}
    with tempfile.TemporaryDirectory() as home:
        cluster = Cluster(simulator, home, args)
        env = {"HOME": home, "KUBECONFIG": cluster.kubeconfig, "PATH": os.environ["PATH"]}
        try:
            for phase in PHASES:
                before = cluster.ledger()
                seconds, memory, code = cost(
                    [binary, *words(phase, args)], env=env, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                if code not in (0, 3):
                    print(f"{os.path.basename(binary)} {phase}: exit code {code}", file=sys.stderr)
                after = cluster.ledger()
                figures[phase] = (seconds * 1000 / args.vms, memory, *((a - b) / args.vms for a, b in zip(after, before)))
        finally:
            seconds, memory = cluster.end()
        figures["sandbox"] = (seconds * 1000 / args.vms, memory, 0, 0)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--vms", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--speed", type=float, default=5)
    parser.add_argument("--flags", default="")
    parser.add_argument("--own", action="store_true")
    args = parser.parse_args()
    old, new = os.path.abspath(args.old), os.path.abspath(args.new)
    seen = {"old": [], "new": []}
    for pair in range(args.pairs):
        order = [("old", old), ("new", new)]
        for name, binary in order if pair % 2 == 0 else reversed(order):
            seen[name].append(run(binary, binary if args.own else new, args))
    print(f"{args.vms} VMs, {args.pairs} pairs, speed {args.speed:g}, flags: {args.flags or 'none'}; medians, old -> new (ratio)\n")
    print(f"{'':<8} {'CPU ms/VM':>22} {'peak MiB':>24} {'watch KB/VM':>22} {'requests/VM':>22}")
    for phase in (*PHASES, "sandbox"):
        cells = []
        for index, scale in enumerate((1, 1, 1 / 1024, 1)):
            a, b = (statistics.median(one[phase][index] * scale for one in seen[name]) for name in ("old", "new"))
            ratio = f"({b / a:.2f})" if a else ""
            cells.append(f"{a:8.2f} ->{b:8.2f} {ratio:>6}")
        print(f"{phase:<8} " + " ".join(cells))


main()
