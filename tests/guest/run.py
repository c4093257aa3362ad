#!/usr/bin/env python3
"""Run one bare-metal guest:  run.py [--limit S] [--max-rss MIB] [--reboot yes] [--needs ENGINE] EMULATOR GUEST [OPTIONS]

Passes when the guest says so by isa-debug-exit (code 33) in time.  --max-rss bounds the emulator's peak memory;
with --reboot the guest may reset the machine; with --needs the test is skipped, with the reason, where the engine
does not work.
"""
import resource
import subprocess
import sys

SKIP = 77

def why_not(emulator, engine):
    """Why the engine does not work here; "" when it does."""
    r = subprocess.run([emulator, "-accel", f"{engine},help"], stdout=subprocess.PIPE, text=True)
    return r.stdout.split("does not work: ")[1].strip() if "does not work: " in r.stdout else ""


def main():
    args = sys.argv[1:]
    limit, max_rss, no_reboot, needs = 60.0, None, ["-no-reboot"], None
    while args and args[0].startswith("--"):
        if args[0] == "--limit":
            limit = float(args[1])
        elif args[0] == "--max-rss":
            max_rss = float(args[1])
        elif args[0] == "--reboot":
            no_reboot = []
        elif args[0] == "--needs":
            needs = args[1]
        else:
            sys.exit(__doc__)
        args = args[2:]
    if len(args) < 2:
        sys.exit(__doc__)
    emulator, guest, *options = args
    reason = why_not(emulator, needs) if needs else ""
    if reason:
        print(f"skipped: {needs}: {reason}")
        return SKIP
    argv = [emulator, "-m", "256M", "-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", guest,
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", *no_reboot, *options]
    try:
        r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=limit)
        code, text = r.returncode, r.stdout
    except subprocess.TimeoutExpired as e:
        code, text = f"no end within {limit:.0f} s", e.stdout or b""
    print(text.decode("latin1")[-6000:], end="")
    if code != 33:
        print(f"run.py: {' '.join(argv)}", file=sys.stderr)
        print(f"run.py: ended with {code}, a guest that passes ends with 33", file=sys.stderr)
        return 1
    rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if max_rss is not None and rss > max_rss:
        print(f"run.py: the emulator grew to {rss:.0f} MiB, more than {max_rss:.0f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
