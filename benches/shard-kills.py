#!/usr/bin/env python3
"""Kills random shards of runs inside of a simulated cluster, and checks that each VM was created, stopped and started once.

    benches/shard-kills.py target/debug/kubectl-bootstorm --runs 50 --shards 4
    benches/shard-kills.py target/debug/kubectl-bootstorm --runs 8 --seed 7 --parallel 2

Each run has a cluster of its own. Five times at random instants, a process of a random shard is killed without warning, a
third of the time that of index 0, the coordinator; after the second kill the command that follows the Job is killed, too, and
given again. A run is good if all phases are done with every VM, the ledger of the cluster has one change per VM and phase, and
nothing is left of the Job and, after cleanup, of the run. Prints a line per run; exit code 1 if one is bad.

Needs Linux and kubectl. Not part of the tests: a run takes one to five minutes, mostly of waiting until locks expire.
"""

import argparse
import concurrent.futures
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

KILLS = 5
LIMIT = 900
PREFIX = "kills"


def shards(home):
    """Index and process of each shard of the cluster whose folder this is."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if b"__shard" not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/environ", "rb") as file:
                words = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word)
        except OSError:
            continue
        if words.get(b"TMPDIR", b"").startswith(home.encode()) or home.encode() in words.get(b"KUBECONFIG", b""):
            found.append((int(words[b"JOB_COMPLETION_INDEX"]), int(entry)))
    return found


class Run:
    def __init__(self, args, number):
        self.args, self.number = args, number
        self.dice = random.Random(args.seed * 1000 + number)

    def tell(self, *words):
        return subprocess.run([self.args.program, *words], env=self.env, capture_output=True, text=True)

    def kubectl(self, *words):
        return subprocess.run(["kubectl", *words], env=self.env, capture_output=True, text=True).stdout

    def go(self):
        with tempfile.TemporaryDirectory() as home:
            self.home = os.path.realpath(home)
            path = os.path.join(self.home, "kubeconfig")
            self.env = {"HOME": self.home, "TMPDIR": self.home, "PATH": os.environ["PATH"], "KUBECONFIG": path}
            words = [self.args.program, "sandbox", "--profile", "instant", "--write-kubeconfig", path]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            sandbox = subprocess.Popen(words, env=self.env, **quiet)
            try:
                while not os.path.exists(path):
                    time.sleep(0.05)
                return self.storm()
            finally:
                sandbox.send_signal(signal.SIGINT)
                sandbox.wait()

    def storm(self):
        args, began = self.args, time.monotonic()
        words = [args.program, "run", "--ns-prefix", PREFIX, "--end", str(args.vms), "--probe", "none", "--source", "blank"]
        words += ["--in-cluster", "--shards", str(args.shards), "--runner-image", "kubectl-bootstorm", "-q"]
        errors = open(os.path.join(self.home, "errors"), "w+")
        follow = lambda: subprocess.Popen(words, env=self.env, stdout=subprocess.DEVNULL, stderr=errors)
        follower, kills, zero, again = follow(), 0, 0, False
        due = time.monotonic() + self.dice.uniform(1, 4)
        while follower.poll() is None:
            time.sleep(0.02)
            if time.monotonic() - began > LIMIT:
                follower.kill()
                break
            if kills < KILLS and time.monotonic() > due:
                there = shards(self.home)
                first = [shard for shard in there if shard[0] == 0]
                if there:
                    index, pid = self.dice.choice(first if first and self.dice.random() < 0.33 else there)
                    try:
                        os.kill(pid, signal.SIGKILL)
                        kills, zero = kills + 1, zero + (index == 0)
                    except ProcessLookupError:
                        pass
                due = time.monotonic() + self.dice.uniform(0.5, 6)
            if kills == 2 and not again:
                again = True
                follower.kill()
                follower.wait()
                follower = follow()
        code = follower.wait()
        faults = [] if code == 0 else [f"exit code {code}"]
        if code != 0:
            errors.seek(0)
            faults.append(errors.read()[-400:])
        ledger = json.loads(self.kubectl("get", "--raw", "/bootstorm/ledger"))
        for machine in ledger["machines"]:
            for phase in ("creates", "stops", "starts"):
                if machine[phase]["changes"] != 1:
                    faults.append(f"{phase}: {machine}")
        if len(ledger["machines"]) != args.vms:
            faults.append(f"{len(ledger['machines'])} VMs in the ledger")
        report = json.loads(self.tell("report", "--ns-prefix", PREFIX, "-o", "json").stdout or "{}")
        for phase in report.get("phases", []):
            if (phase["state"], phase["counts"]["reached"]) != ("done", args.vms):
                faults.append(f"{phase['name']}: {phase['state']}, {phase['counts']}")
        if len(report.get("phases", [])) != 3:
            faults.append("the report has not three phases")
        kinds = "cm,lease,job,sa,role,rolebinding,clusterrole,clusterrolebinding"
        left = [name for name in self.kubectl("get", kinds, "-o", "name").split() if PREFIX in name]
        faults += [f"left: {name}" for name in left if "configmap" not in name or ".shard-" in name or ".start." in name]
        cleanup = self.tell("cleanup", "--ns-prefix", PREFIX, "--yes")
        if cleanup.returncode != 0:
            faults.append(f"cleanup: {cleanup.stderr[-300:]}")
        left = self.kubectl("get", f"{kinds},vm,ns", "-A", "-o", "name").split()
        faults += [f"left after cleanup: {name}" for name in left if PREFIX in name]
        return kills, zero, time.monotonic() - began, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--vms", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=4)
    args = parser.parse_args()
    args.program = os.path.realpath(args.program)
    total, coordinator, bad = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        runs = {pool.submit(Run(args, number).go): number for number in range(args.runs)}
        for done in concurrent.futures.as_completed(runs):
            kills, zero, took, faults = done.result()
            total, coordinator, bad = total + kills, coordinator + zero, bad + bool(faults)
            print(f"run {runs[done]}: {kills} kills, {took:.0f} s, {'; '.join(faults) or 'good'}", flush=True)
    print(f"{args.runs} runs with {args.shards} shards: {total} kills, {coordinator} of them of index 0; {bad} runs bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
