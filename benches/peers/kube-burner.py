#!/usr/bin/env python3
"""Measures the same storms with kube-burner and with this program, side by side on the same simulated cluster.

    benches/peers/kube-burner.py BOOTSTORM --vms 200 --runs 3
    benches/peers/kube-burner.py BOOTSTORM --kube-burner PATH --vms 200 --runs 3

BOOTSTORM is a release build of this program. Needs Linux, GNU time and kubectl; unless `--kube-burner` names a build, also
Go and a module proxy, from which kube-burner (`--release`) is fetched and built, in a folder of its own (`--work`), since its
module cannot be installed directly: it replaces others.

Each run has a cluster of its own with the same seed, once for each program, in turns. Both create the VMs of one manifest, one
namespace each, halted; then both start all of them at once. What is compared is both together, since kube-burner follows only
VMs of the same run: processor time, peak memory, requests and bytes that the cluster counted, and how far the time at which
each VM was Running is from what happened, which the cluster knows. kube-burner measures it with `vmiLatency`; this program with
its defaults, and with `--explain=false`; probing is off.
"""

import argparse
import datetime
import glob
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

MODULE = "github.com/kube-burner/kube-burner/v2"
MANIFEST = """apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: NAME
spec:
  runStrategy: Halted
  template:
    spec:
      domain:
        devices:
          disks:
          - name: root
            disk: {bus: virtio}
          interfaces:
          - name: default
            masquerade: {}
        memory: {guest: 128Mi}
      networks:
      - name: default
        pod: {}
      volumes:
      - name: root
        containerDisk: {image: "quay.io/containerdisks/fedora:41"}
"""
CONFIG = """global:
  measurements:
  - name: vmiLatency
metricsEndpoints:
- indexer:
    type: local
    metricsDirectory: METRICS
jobs:
- name: make
  jobType: create
  jobIterations: VMS
  namespace: peer
  namespacedIterations: true
  iterationsPerNamespace: 1
  preCreateNamespaces: true
  waitWhenFinished: false
  podWait: false
  preLoadImages: false
  qps: 1000
  burst: 1000
  objects:
  - objectTemplate: vm.yml
    replicas: 1
    wait: false
- name: storm
  jobType: kubevirt
  qps: 1000
  burst: 1000
  jobIterations: 1
  preLoadImages: false
  waitWhenFinished: true
  executionMode: parallel
  objects:
  - kubeVirtOp: start
    labelSelector: {kube-burner.io/job: make}
"""


def built(args):
    """kube-burner, built from the module at the release that is asked for."""
    target = os.path.join(args.work, f"kube-burner-{args.release}")
    if os.path.exists(target):
        return target
    fetched = subprocess.run(["go", "mod", "download", "-json", f"{MODULE}@{args.release}"], capture_output=True, text=True)
    if fetched.returncode != 0:
        sys.exit(f"kube-burner cannot be fetched: {fetched.stdout}{fetched.stderr}")
    source = os.path.join(args.work, "source")
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(json.loads(fetched.stdout)["Dir"], source)
    subprocess.run(["chmod", "-R", "u+w", source], check=True)
    subprocess.run(["go", "build", "-o", target, "./cmd/kube-burner"], cwd=source, check=True)
    return target


class Cluster:
    def __init__(self, binary, home, args):
        self.kubeconfig, self.truth = os.path.join(home, "kubeconfig"), os.path.join(home, "truth")
        command = [binary, "sandbox", "--nodes", str(max(3, args.vms // 60)), "--seed", "7", "--speed", str(args.speed)]
        command += ["--truth", self.truth, "--write-kubeconfig", self.kubeconfig]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not os.path.exists(self.kubeconfig):
            if time.monotonic() > until:
                sys.exit("the sandbox does not come up")
            time.sleep(0.05)
        view = ["kubectl", "--kubeconfig", self.kubeconfig, "config", "view", "--raw", "-o", "json"]
        config = json.loads(subprocess.run(view, capture_output=True, text=True, check=True).stdout)
        self.server, self.token = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]

    def ledger(self):
        """Requests, and bytes that watches delivered, so far."""
        url = urllib.request.Request(f"{self.server}/bootstorm/ledger", headers={"Authorization": f"Bearer {self.token}"})
        book = json.load(urllib.request.urlopen(url, context=ssl._create_unverified_context()))
        return sum(one["received"] for one in book["totals"]), sum(one["bytes"] for one in book["delivered"])

    def end(self):
        self.process.terminate()
        self.process.wait()

    def running(self):
        """(namespace, name) → when it was Running for the first time, in nanoseconds since 1970."""
        times = {}
        for line in open(self.truth):
            entry = json.loads(line)
            if entry["kind"] == "virtualmachineinstances" and entry.get("phase") == "Running":
                times.setdefault((entry["namespace"], entry["name"]), entry["at"])
        return times


def cost(command, **more):
    """Processor time in seconds and peak memory in MiB."""
    peak = os.path.join(more["cwd"], "peak")
    # A process begins with the peak of the one that it was forked from, so this script must not be that one.
    timed = ["/usr/bin/time", "--quiet", "-f", "%M", "-o", peak, *command]
    with open(os.path.join(more["cwd"], "log"), "ab") as log:
        child = subprocess.Popen(timed, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        tail = open(os.path.join(more["cwd"], "log"), errors="replace").read()[-2000:]
        sys.exit(f"{' '.join(command)} failed:\n{tail}")
    return usage.ru_utime + usage.ru_stime, int(open(peak).read()) / 1024


def nanoseconds(stamp):
    whole, _, part = stamp.rstrip("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 10**9 + int(part.ljust(9, "0")[:9] or 0)


def ours(flags):
    def run(binary, cluster, home, env, args):
        with open(os.path.join(home, "vm.yml"), "w") as file:
            file.write(MANIFEST.replace("NAME", "vm"))
        own = {"env": env, "cwd": home}
        cost([binary, "setup", "--end", str(args.vms), "--filename", "vm.yml", "--probe", "none"], **own)
        before = cluster.ledger()
        made, least = cost([binary, "create", "--halted"], **own)
        seconds, memory = cost([binary, "storm", "--concurrency", "500", *flags], **own)
        seconds, memory = made + seconds, max(least, memory)
        after = cluster.ledger()
        cost([binary, "report", "--save-results", "-o", "name"], **own)
        record = json.load(open(glob.glob(f"{home}/results/**/run.json", recursive=True)[0]))
        storm = next(phase for phase in record["phases"] if phase["name"] == "storm-1")
        began, times = nanoseconds(storm["began"]), {}
        plan = record["plan"]
        for vm in storm["timelines"]:
            if "running" in vm["moments"]:
                number = plan["start"] + vm["target"]
                times[(f"{plan['prefix']}-{number}", plan["vm_name"])] = began + vm["moments"]["running"]["at"] * 1000
        return seconds, memory, before, after, times

    return run


def theirs(binary, cluster, home, env, args):
    metrics = os.path.join(home, "metrics")
    with open(os.path.join(home, "vm.yml"), "w") as file:
        file.write(MANIFEST.replace("NAME", "vm-{{.Iteration}}"))

    with open(os.path.join(home, "config.yml"), "w") as file:
        file.write(CONFIG.replace("METRICS", metrics).replace("VMS", str(args.vms)))
    before = cluster.ledger()
    command = [args.kube_burner, "init", "-c", "config.yml", "--log-level", "error"]
    seconds, memory = cost(command, env=env, cwd=home)
    after = cluster.ledger()
    times = {}
    for path in glob.glob(f"{metrics}/vmiLatencyMeasurement-storm*.json"):
        for vm in json.load(open(path)):
            times[(vm["namespace"], vm["vmiName"])] = nanoseconds(vm["timestamp"]) + vm["vmiRunningLatency"] * 10**6
    return seconds, memory, before, after, times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bootstorm")
    parser.add_argument("--kube-burner")
    parser.add_argument("--release", default="v2.7.3")
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "kube-burner"))
    parser.add_argument("--vms", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--speed", type=float, default=1)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    args.kube_burner = os.path.abspath(args.kube_burner or built(args))
    binary = os.path.abspath(args.bootstorm)
    programs = {"kube-burner": theirs, "bootstorm": ours([]), "bootstorm --explain=false": ours(["--explain=false"])}
    seen = {name: [] for name in programs}
    for number in range(args.runs):
        order = list(programs.items())
        for name, measure in order[number % 3:] + order[: number % 3]:
            with tempfile.TemporaryDirectory() as home:
                cluster = Cluster(binary, home, args)
                env = {"HOME": home, "KUBECONFIG": cluster.kubeconfig, "PATH": os.environ["PATH"]}
                try:
                    seconds, memory, before, after, times = measure(binary, cluster, home, env, args)
                finally:
                    cluster.end()
                truth = cluster.running()
                off = sorted(abs(at - truth[vm]) / 1e6 for vm, at in times.items() if vm in truth)
                if len(off) < args.vms:
                    print(f"{name}: {len(off)} of {args.vms} VMs have a time", file=sys.stderr)
                share = lambda part: off[max(0, -(-len(off) * part // 100) - 1)] if off else float("nan")
                figures = (seconds * 1000 / args.vms, memory, (after[0] - before[0]) / args.vms)
                figures += ((after[1] - before[1]) / 1000 / args.vms, share(50), share(99), share(100))
                seen[name].append(figures)
    print(f"{args.vms} VMs started at once, speed {args.speed:g}, {args.runs} runs each, medians\n")
    heads = ("CPU ms/VM", "peak MiB", "requests/VM", "watch KB/VM", "p50 ms off", "p99 ms off", "most ms off")
    print(f"{'':<26}" + "".join(f"{head:>13}" for head in heads))
    for name, runs in seen.items():
        print(f"{name:<26}" + "".join(f"{statistics.median(column):>13.2f}" for column in zip(*runs)))


if __name__ == "__main__":
    main()
