#!/usr/bin/env python3
"""What an idle worker's agent takes of its board: memory, processor, and time until it is registered.

Usage: BORUTA_BIN=build/release/bin bench/dryad_at_rest.py [SECONDS]     60 at rest each; access "account" needs root
Prints a table for docs/boards.md. Needs borutad, boruta, dryad and dryad-root there; pytest is imported.
"""
import collections
import os
import pathlib
import re
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
from account import account_dryad, system_sshd  # noqa: E402
from farm import Farm, wait_for  # noqa: E402

STARTS = 7
# For the stock of keys to be filled, which has the lowest priority.
SETTLE = 20.0


def family(pid):
    """The process and all below it: dryad, and its root part or its sshd."""
    children = collections.defaultdict(list)
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children[int(re.search(r"\) \S (\d+)", (entry / "stat").read_text()).group(1))].append(int(entry.name))
            except OSError:
                continue
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def name_of(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def memory_of(pid):
    """Proportional set size in KiB, and what it has to itself whoever else runs."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    size = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE)}
    return size["Pss"], size["Private_Dirty"]


def alone(pids):
    """KiB of all of `pids` if nothing else on the machine used their libraries: of each file what most is mapped of it,
    once, and what is written to for each."""
    files = collections.Counter()
    written = 0
    for pid in pids:
        mapped = collections.Counter()
        key = None
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ (\S+ \S+ \d+)", line)
            field = re.match(r"(Rss|Private_Dirty|Shared_Dirty): +(\d+) kB", line)
            if head:
                key = head.group(1)
            elif field:
                kind, size = field.group(1), int(field.group(2))
                mapped[key] += size if kind == "Rss" else -size
                written += 0 if kind == "Rss" else size
        files |= mapped
    return written + sum(files.values())


def cpu_ns(pids):
    """What all threads ran so far."""
    tasks = [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def start_ms(dryad):
    """From running the program to its being registered."""
    begin = time.monotonic()
    dryad.start()
    wait_for(lambda: "registered" in dryad.process.text(), 20, "registering", every=0.001)
    return (time.monotonic() - begin) * 1000


def measure(farm, dryad, seconds):
    taken = []
    for _ in range(STARTS):
        dryad.stop()
        taken.append(start_ms(dryad))
    farm.admin().await_worker(dryad.uuid, "IDLE")
    time.sleep(SETTLE)
    pids = family(dryad.process.pid)
    before, begin = cpu_ns(pids), time.monotonic()
    time.sleep(seconds)
    share = (cpu_ns(pids) - before) / ((time.monotonic() - begin) * 1e9) * 100
    return pids, share, taken


def show(access, pids, share, taken):
    parts = []
    total = 0
    for pid in pids:
        pss, private = memory_of(pid)
        total += pss
        parts.append(f"{name_of(pid)} {pss / 1024:.1f} ({private / 1024:.1f})")
    print(f"| `{access}` | {alone(pids) / 1024:.1f} MiB | {total / 1024:.1f} MiB: {', '.join(parts)} | {share:.3f} % | "
          f"{statistics.median(taken):.0f} ms ({min(taken):.0f} to {max(taken):.0f}) |", flush=True)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    print("| Access | Memory, alone | PSS beside what else ran (written to) | CPU at rest | Registered after |\n"
          "| --- | ---: | --- | ---: | ---: |")
    farm = Farm()
    try:
        farm.start_server()
        show("private", *measure(farm, farm.start_dryad("private"), seconds))
        if os.geteuid() == 0:
            with system_sshd(farm) as port:
                show("account", *measure(farm, account_dryad(farm, "account", port), seconds))
    finally:
        farm.close()


main()
