#!/usr/bin/env python3
"""How long from the start of the process to the guest's first words:  startup.py [--needs ENGINE] EMULATOR GUEST LIMIT_MS [OPTIONS]

The best of several runs counts: the others measure the host.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))
import run as guest_run

RUNS = 9


def first_word(argv):
    start = time.perf_counter()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as p:
        byte = p.stdout.read(1)
        ms = (time.perf_counter() - start) * 1000
        p.kill()
    return ms if byte else float("inf")


def main():
    args = sys.argv[1:]
    if args[:1] == ["--needs"]:
        reason = guest_run.why_not(args[2], args[1])
        if reason:
            print(f"skipped: {args[1]}: {reason}")
            return guest_run.SKIP
        args = args[2:]
    emulator, guest, limit, *options = args
    argv = [emulator, "-m", "128M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", guest, *options]
    times = sorted(first_word(argv) for _ in range(RUNS))
    print(f"{times[0]:.1f} ms, {times[RUNS // 2]:.1f} ms as a rule; {limit} ms are allowed")
    return times[0] > float(limit)


sys.exit(main())
