#!/usr/bin/env python3
"""Measures what a storm costs when several shards share its VMs, and how exact they are together.

    benches/shards.py target/release/kubectl-bootstorm --vms 10000 --shards 1 2 4
    benches/shards.py target/release/kubectl-bootstorm --vms 500 --shards 1 4 --profile default --probe none

Simulates a cluster, and runs setup, create, stop and storm on it once for each number of shards, each as a Job whose pods
are processes of this machine. Prints for the storm: processor time and peak memory per shard, the time between the first
requests of different shards, the time from the first to the last request, how far the instants at which VMs ran were from
what happened, and the bytes that watches delivered to all shards together, per VM. The cluster and all shards share this machine, so that processor time is comparable and speed is not.
"""

import argparse
import csv
import datetime
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERTZ = os.sysconf("SC_CLK_TCK")


def sample(program, seen):
    """Notes processor time and peak memory of the shards that run this program now, by process."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if b"__shard" not in words or os.readlink(f"/proc/{entry}/exe") != program:
                continue
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{entry}/status") as file:
                peak = [line.split()[1] for line in file if line.startswith("VmHWM")]
        except (OSError, IndexError):
            continue
        seen[entry] = ((int(fields[11]) + int(fields[12])) / HERTZ, int(peak[0]) / 1024 if peak else 0.0)


def run(args, env, words, seen=None):
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([args.program, *words], env=env, stdout=subprocess.PIPE, stderr=errors, text=True)
        while seen is not None and process.poll() is None:
            sample(args.program, seen)
            time.sleep(0.05)
        output, _ = process.communicate()
        if process.returncode not in (0, 3):
            errors.seek(0)
            sys.exit(f"{' '.join(words)}: exit code {process.returncode}\n{errors.read()}")
        return output


def truth(path):
    """When each VM's instance first ran in its second life, in seconds since 1970, by namespace and name."""
    ran = {}
    with open(path) as file:
        for line in file:
            entry = json.loads(line)
            if entry.get("kind") == "virtualmachineinstances" and entry.get("phase") == "Running":
                ran.setdefault((entry["namespace"], entry["name"]), {}).setdefault(entry["uid"], entry["at"] / 1e9)
    return {vm: max(lives.values()) for vm, lives in ran.items()}


def measure(args, shards):
    with tempfile.TemporaryDirectory() as home:
        kubeconfig, events = f"{home}/kubeconfig", f"{home}/truth"
        env = {"HOME": home, "PATH": os.environ["PATH"], "KUBECONFIG": kubeconfig}
        cluster = subprocess.Popen(
            [args.program, "sandbox", "--port", "0", "--write-kubeconfig", kubeconfig, "--truth", events,
             "--profile", args.profile, "--speed", str(args.speed), "--nodes", str(args.nodes)],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not os.path.exists(kubeconfig):
                time.sleep(0.05)
                if cluster.poll() is not None:
                    sys.exit("the simulated cluster has ended")
            time.sleep(0.5)
            run(args, env, ["setup", "--end", str(args.vms), "--source", args.source, "--probe", args.probe])
            flags = ["--in-cluster", "--shards", str(shards), "--runner-image", "kubectl-bootstorm",
                     "--concurrency", str(args.concurrency)]
            seen = {}
            for phase in ("create", "stop", "storm"):
                seen = {}
                subprocess.run(["kubectl", "delete", "--raw", "/bootstorm/ledger"], env=env, stdout=subprocess.DEVNULL)
                run(args, env, [phase, *flags], seen)
            ledger = json.loads(subprocess.run(["kubectl", "get", "--raw", "/bootstorm/ledger"], env=env,
                                               capture_output=True, check=True, text=True).stdout)
            rows = list(csv.DictReader(io.StringIO(run(args, env, ["report", "-o", "csv"]))))
            maps = json.loads(subprocess.run(["kubectl", "get", "configmaps", "-o", "json"], env=env,
                                             capture_output=True, check=True, text=True).stdout)["items"]
            return summary(args, shards, seen, [row for row in rows if row["phase"] == "storm-1"], truth(events), maps, ledger)
        finally:
            cluster.send_signal(signal.SIGINT)
            cluster.wait(60)


def summary(args, shards, seen, rows, ran, maps, ledger):
    first, asked, errors = {}, [], []
    for place, row in enumerate(rows):
        if not row["requested_at_seconds"]:
            continue
        at = float(row["requested_at_seconds"])
        asked.append(at)
        first[place % shards] = min(at, first.get(place % shards, at))
        happened = ran.get((row["namespace"], row["vm"]))
        if row["running_seconds"] and happened:
            began = datetime.datetime.fromisoformat(row["phase_began"].replace("Z", "+00:00")).timestamp()
            errors.append(abs(began + at + float(row["running_seconds"]) - happened))
    cpu, peak = [one[0] for one in seen.values()], [one[1] for one in seen.values()]
    errors.sort()
    record = sum(len(value) * 3 // 4 for one in maps if ".storm-1." in one["metadata"]["name"]
                 for value in one.get("binaryData", {}).values())
    reached = sum(row["outcome"] == "reached" for row in rows)
    return {
        "shards": shards,
        "reached": f"{reached}/{args.vms}",
        "CPU s/shard": f"{statistics.mean(cpu):.2f}" if cpu else "-",
        "CPU s": f"{sum(cpu):.2f}",
        "peak MiB": f"{max(peak, default=0):.0f}",
        "skew ms": f"{(max(first.values()) - min(first.values())) * 1000:.2f}" if first else "-",
        "sending s": f"{max(asked) - min(asked):.3f}" if asked else "-",
        "error p50 ms": f"{errors[len(errors) // 2] * 1000:.1f}" if errors else "-",
        "error p99 ms": f"{errors[int(len(errors) * 0.99)] * 1000:.1f}" if errors else "-",
        "record B/VM": f"{record / args.vms:.0f}",
        "watch kB/VM": f"{sum(one['bytes'] for one in ledger['delivered']) / args.vms / 1000:.1f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--vms", type=int, default=1000)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--probe", default="none")
    # Claims of thousands of VMs share one simulated storage, which then decides how long everything takes.
    parser.add_argument("--source", default="containerdisk:quay.io/containerdisks/fedora:latest")
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--speed", type=float, default=1.0)
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    rows = [measure(args, shards) for shards in args.shards]
    for number, row in enumerate(rows):
        if number == 0:
            print("  ".join(f"{name:>12}" for name in row))
        print("  ".join(f"{value:>12}" for value in row.values()))


if __name__ == "__main__":
    main()
