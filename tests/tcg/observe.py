#!/usr/bin/env python3
"""What the translator shows of itself: -d op,out_asm,exec, -perfmap, info jit.   observe.py RHEA GUEST LONG-GUEST"""
import os
import re
import stat
import subprocess
import sys
import tempfile
import time


def argv(rhea, guest, *options):
    return [rhea, "-m", "256M", "-display", "none", "-serial", "null", "-kernel", guest, "-accel", "tcg", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", *options]


def check_logs(rhea, guest, folder):
    log = os.path.join(folder, "log")
    r = subprocess.run(argv(rhea, guest, "-monitor", "none", "-d", "op,out_asm,exec", "-D", log), timeout=60,
                       stdin=subprocess.DEVNULL)
    assert r.returncode == 33, r.returncode
    text = open(log, encoding="utf-8").read()
    assert re.search(r"^OP: cpu 0 mode [0-9a-f]+\n[0-9a-f]{16}: \w+ +(emitted|handler), \d+ bytes", text, re.M)
    assert re.search(r"^[0-9a-f]{16}: \w+ +emitted, \d+ bytes, \d+ stubs$", text, re.M)
    assert re.search(r"^OUT: cpu 0 guest [0-9a-f]{16}, \d+ bytes\n[0-9a-f]{16}: [0-9a-f]+ +\w+", text, re.M)
    blocks = re.findall(r"^Trace 0: 0x[0-9a-f]+ \[([0-9a-f]{16})/[0-9a-f]+\]$", text, re.M)
    # Every execution is there, not only the first of each block.
    assert len(blocks) > 2 * len(set(blocks)) > 0, (len(blocks), len(set(blocks)))


def check_perfmap(rhea, guest):
    p = subprocess.Popen(argv(rhea, guest, "-monitor", "none", "-perfmap"), stdin=subprocess.DEVNULL)
    path = f"/tmp/perf-{p.pid}.map"
    try:
        assert p.wait(60) == 33
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        lines = open(path, encoding="ascii").read().splitlines()
        assert len(lines) > 20, len(lines)
        for line in lines:
            assert re.fullmatch(r"[0-9a-f]+ [0-9a-f]+ guest-[0-9a-f]+-cpl[0-3]", line), line
    finally:
        if os.path.exists(path):
            os.unlink(path)


def check_info(rhea, guest):
    p = subprocess.Popen(argv(rhea, guest, "-monitor", "stdio", "-smp", "2", "-append", "cpus=2 rounds=10000000"),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    text, _ = p.communicate("info jit\ninfo accel\nquit\n", timeout=60)
    assert p.returncode == 0, p.returncode
    for cpu in "01":
        m = re.search(rf"^cpu {cpu}\n  blocks +(\d+) translated, (\d+) guest instructions\n"
                      r"  bytes +(\d+) guest, (\d+) host", text, re.M)
        assert m, text
        blocks, insns, guest_bytes, host_bytes = map(int, m.groups())
        assert 0 < blocks < insns < guest_bytes < host_bytes, m.group(0)
    assert re.search(r"handler calls +[1-9]\d*, most of them", text), text
    assert re.search(r"^ +\d+ out +\S+ +\(0, \d+\)$", text, re.M), text


def main():
    rhea, guest, long_guest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        check_logs(rhea, guest, folder)
    check_perfmap(rhea, guest)
    check_info(rhea, long_guest)


main()
