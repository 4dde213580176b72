#!/usr/bin/env python3
"""Compares what two builds of this program cost, side by side on this machine.

    benches/pair.py OLD NEW --vms 500 --pairs 5
    benches/pair.py OLD NEW --own --vms 500 --pairs 5 --flags '--explain=false --probe none'
    benches/pair.py OLD NEW --vms 10000 --pairs 1 --speed 1 --truth --cpus 0 1
    benches/pair.py --growth 1000 10000 -- NEW

Needs kubectl and GNU time. OLD and NEW are release binaries. They take turns on clusters that NEW simulates from the same
seed, each with a process of its own; `--own` lets each build simulate its own cluster, which is how the simulation is
compared. Prints for each phase the medians of processor time, peak memory, bytes that watches delivered, requests, and bytes
that the record took, per VM where that makes sense, and NEW in parts of OLD. `--truth` adds how far each time was from what
happened, `--cpus` gives the program and the cluster a processor each, and `--growth` shows how one build grows with the
number of VMs.
"""

import argparse
import datetime
import glob
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
COLUMNS = (
    ("CPU ms/VM", 1, "{:8.2f}"),
    ("peak MiB", 1, "{:8.1f}"),
    ("watch KB/VM", 1 / 1024, "{:8.1f}"),
    ("requests/VM", 1, "{:8.2f}"),
    ("record B/VM", 1, "{:8.0f}"),
)
# Phase of the record, milestone, and what the truth calls it.
MOMENTS = (
    ("create", "running", "Running"),
    ("stop-1", "gone", "deleted"),
    ("storm-1", "running", "Running"),
)


def words(phase, args):
    flags = shlex.split(args.flags)
    if phase == "setup":
        probe = [flag for flag in flags if "probe" in flag or flag in ("none", "agent")]
        return ["setup", "--end", str(args.vms), "--source", args.source, *probe]
    if phase == "cleanup":
        return ["cleanup", "--yes"]
    if phase == "report":
        return ["report", "-o", "json"]
    rest = [flag for flag in flags if "probe" not in flag and flag not in ("none", "agent")]
    return [phase, "--concurrency", str(min(args.vms, 500)), *rest]


def pinned(cpu, command):
    return command if cpu is None else ["taskset", "-c", str(cpu), *command]


def cost(command, **more):
    """Processor time in seconds, peak memory in MiB, exit code."""
    with tempfile.NamedTemporaryFile("r") as peak:
        # A process begins with the peak of the one that it was forked from, so this script must not be that one.
        timed = ["/usr/bin/time", "--quiet", "-f", "%M", "-o", peak.name, *command]
        child = subprocess.Popen(timed, stdin=subprocess.DEVNULL, **more)
        _, status, usage = os.wait4(child.pid, 0)
        return usage.ru_utime + usage.ru_stime, int(peak.read()) / 1024, os.waitstatus_to_exitcode(status)


class Cluster:
    def __init__(self, binary, home, args):
        self.kubeconfig = os.path.join(home, "kubeconfig")
        self.truth = os.path.join(home, "truth") if args.truth else None
        nodes = str(max(3, args.vms // 60))
        command = [binary, "sandbox", "--nodes", nodes, "--seed", "7", "--speed", str(args.speed)]
        help_text = subprocess.run([binary, "sandbox", "--help"], capture_output=True, text=True).stdout
        flag = "--write-kubeconfig" if "--write-kubeconfig" in help_text else "--kubeconfig"
        if self.truth:
            command += ["--truth", self.truth]
        command = pinned(args.cpus[1] if args.cpus else None, [*command, flag, self.kubeconfig])
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        """Bytes that watches delivered, requests, and bytes of the record that were sent, so far."""
        context = ssl._create_unverified_context()
        request = urllib.request.Request(
            f"{self.server}/bootstorm/ledger", headers={"Authorization": f"Bearer {self.token}"}
        )
        book = json.load(urllib.request.urlopen(request, context=context))
        record = sum(one["bytes"] for one in book.get("sent", []) if one["resource"] == "configmaps")
        return sum(one["bytes"] for one in book.get("delivered", [])), sum(one["received"] for one in book["totals"]), record

    def end(self):
        self.process.terminate()
        _, _, usage = os.wait4(self.process.pid, 0)
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def errors(record, truth):
    """Of each moment, how many milliseconds the times are off, in order."""
    happened = {}
    for line in open(truth):
        entry = json.loads(line)
        if entry["kind"] == "virtualmachineinstances":
            what = "deleted" if entry["action"] == "deleted" else entry.get("phase")
            happened.setdefault((entry["uid"], what), entry["at"])
    off = {}
    for name, milestone, what in MOMENTS:
        phase = next((phase for phase in record["phases"] if phase["name"] == name), None)
        if phase is None:
            continue
        began = datetime.datetime.fromisoformat(phase["began"][:26].rstrip("Z") + "+00:00")
        began = int(began.timestamp()) * 10**9 + int(phase["began"].rstrip("Z").partition(".")[2].ljust(9, "0") or 0)
        seen = []
        for vm in phase["timelines"]:
            moment, at = vm["moments"].get(milestone), happened.get((vm.get("instance_uid"), what))
            if moment and moment["source"] == "seen" and at:
                seen.append(abs(began + moment["at"] * 1000 - at) / 1e6)
        off[f"{name} {milestone}"] = sorted(seen)
    return off


def run(binary, simulator, args):
    figures = {}
    with tempfile.TemporaryDirectory() as home:
        cluster = Cluster(simulator, home, args)
        env = {"HOME": home, "KUBECONFIG": cluster.kubeconfig, "PATH": os.environ["PATH"]}
        quiet = {"env": env, "cwd": home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            for phase in PHASES:
                if phase == "cleanup" and args.truth:
                    cost([binary, "report", "--save-results", "-o", "name"], **quiet)
                before = cluster.ledger()
                command = pinned(args.cpus[0] if args.cpus else None, [binary, *words(phase, args)])
                seconds, memory, code = cost(command, **quiet)
                if code not in (0, 3):
                    print(f"{os.path.basename(binary)} {phase}: exit code {code}", file=sys.stderr)
                after = cluster.ledger()
                figures[phase] = (seconds * 1000 / args.vms, memory, *((a - b) / args.vms for a, b in zip(after, before)))
        finally:
            seconds, memory = cluster.end()
        figures["sandbox"] = (seconds * 1000 / args.vms, memory, 0, 0, 0)
        if args.truth:
            saved = glob.glob(f"{home}/results/**/run.json", recursive=True)
            figures["errors"] = errors(json.load(open(saved[0])), cluster.truth)
    return figures


def table(rows, names, sets):
    """Medians of some sets of figures side by side, and the last in parts of the first."""
    print(f"{'':<8} " + " ".join(f"{name:>{9 * len(names) + 8}}" for name, _, _ in COLUMNS))
    for row in rows:
        cells = []
        for index, (_, scale, form) in enumerate(COLUMNS):
            medians = [statistics.median(one[row][index] * scale for one in sets[name]) for name in names]
            ratio = f"({medians[-1] / medians[0]:.2f})" if medians[0] else ""
            cells.append(" ".join(form.format(one) for one in medians) + f" {ratio:>7}")
        print(f"{row:<8} " + " ".join(cells))


def quantile(times, share):
    return times[max(0, -(-len(times) * share // 100) - 1)] if times else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="+", metavar="OLD NEW")
    parser.add_argument("--vms", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--speed", type=float, default=5)
    parser.add_argument("--flags", default="")
    # Claims of thousands of VMs share one simulated storage, which then decides how long everything takes.
    parser.add_argument("--source", default="containerdisk:quay.io/containerdisks/fedora:latest")
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--truth", action="store_true", help="compare each time with what happened")
    parser.add_argument("--cpus", nargs=2, type=int, help="processors of the program and of the cluster")
    parser.add_argument("--growth", nargs="+", type=int, metavar="VMS", help="one build with several numbers of VMs")
    args = parser.parse_args()
    if args.growth:
        binary = os.path.abspath(args.builds[-1])
        seen = {str(vms): [] for vms in args.growth}
        for _ in range(args.pairs):
            for vms in args.growth:
                seen[str(vms)].append(run(binary, binary, argparse.Namespace(**{**vars(args), "vms": vms})))
        print(f"{' and '.join(seen)} VMs, speed {args.speed:g}, flags: {args.flags or 'none'}; medians (last in parts of the first)\n")
        table((*PHASES, "sandbox"), list(seen), seen)
        return
    old, new = (os.path.abspath(build) for build in args.builds)
    seen = {"old": [], "new": []}
    for pair in range(args.pairs):
        order = [("old", old), ("new", new)]
        for name, binary in order if pair % 2 == 0 else reversed(order):
            seen[name].append(run(binary, binary if args.own else new, args))
    print(f"{args.vms} VMs, {args.pairs} pairs, speed {args.speed:g}, flags: {args.flags or 'none'}; medians, old and new (ratio)\n")
    table((*PHASES, "sandbox"), ["old", "new"], seen)
    if args.truth:
        print(f"\n{'off by ms':<18} {'p50':>16} {'p99':>16} {'most':>16}   (old, new)")
        for moment in seen["new"][0]["errors"]:
            medians = lambda share: [
                statistics.median(quantile(one["errors"].get(moment, []), share) for one in seen[name]) for name in ("old", "new")
            ]
            cells = [" ".join(f"{one:7.1f}" for one in medians(share)) for share in (50, 99, 100)]
            print(f"{moment:<18} " + " ".join(f"{cell:>16}" for cell in cells))


main()
