#!/usr/bin/env python3
"""Memory of whole runs, held by valgrind: no error, nothing lost at the end.  memcheck.py RHEA GUEST"""
import shutil
import subprocess
import sys

SKIP = 77
EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]


def runs(guest):
    boot = ["-display", "none", "-serial", "stdio", "-no-reboot", "-m", "32M", "-kernel", guest]
    yield "version", ["--version"], b"", 0
    yield "an option that does not exist", ["--no-such-option"], b"", 1
    yield "a machine that does not exist", ["-M", "no-such-machine"], b"", 1
    yield "a file that does not exist", ["-kernel", "/no/such/file"], b"", 2
    yield "monitor", ["-S", "-display", "none", "-serial", "none", "-monitor", "stdio", "-m", "32M", "-kernel", guest], \
        b"info registers\nquit\n", 0
    for accel in "interp", "tcg":
        yield f"guest on {accel}", [*boot, "-monitor", "none", "-accel", accel, *EXIT], b"", 33


def check(valgrind, rhea, what, args, keys, code):
    # Translated code is written through another mapping while it runs, hence all.  An error or a leak ends with 99.
    argv = [valgrind, "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,possible",
            "--show-leak-kinds=definite,possible", "--smc-check=all", rhea, *args]
    r = subprocess.run(argv, input=keys, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280)
    if r.returncode != code or b"definitely lost" in r.stdout:
        print(f"{what}: ended with {r.returncode}, expected {code}\n{r.stdout.decode('latin1')[-8000:]}")
        return 1
    print(f"{what}: clean", flush=True)
    return 0


def main():
    rhea, guest = sys.argv[1:]
    valgrind = shutil.which("valgrind")
    if not valgrind:
        print("skipped: valgrind is not installed")
        return SKIP
    if b"__asan_init" in open(rhea, "rb").read():
        print("skipped: the program has a sanitizer in it, which valgrind does not get on with")
        return SKIP
    failed = sum(check(valgrind, rhea, *run) for run in runs(guest))
    print(f"{failed} runs failed")
    return failed != 0


sys.exit(main())
