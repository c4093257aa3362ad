#!/usr/bin/env python3
"""Change the engine under a running guest:  accel_switch.py EMULATOR GUEST LEAST ENGINE ENGINE [ENGINE...] [-- OPTIONS]

The guest runs on the first engine; the monitor goes round the list as fast as it answers until the guest ends, which it
must do as on any one engine, after LEAST switches or more.  Engines (NAME or NAME,option=value) that do not work here
are left out; with one left the test is skipped.  "pause" in the place of an engine stops the machine for a moment.
"""
import os
import subprocess
import sys
import tempfile
import time

LIMIT = 240
SKIP = 77


def works(emulator, engine):
    if engine == "pause":
        return True
    r = subprocess.run([emulator, "-accel", engine.split(",")[0] + ",help"], stdout=subprocess.PIPE, text=True)
    if "does not work: " in r.stdout:
        print(f"without {engine}: {r.stdout.split('does not work: ')[1].strip()}")
        return False
    return True


def main():
    args, options = sys.argv[1:], []
    if "--" in args:
        at = args.index("--")
        args, options = args[:at], args[at + 1:]
    emulator, guest, least, *engines = args
    engines = [e for e in engines if works(emulator, e)]
    if len(engines) < 2:
        print("skipped: one engine only")
        return SKIP
    with tempfile.TemporaryDirectory(prefix="rhea-switch-") as folder:
        serial = os.path.join(folder, "serial")
        argv = [emulator, "-accel", engines[0], "-m", "256M", "-display", "none", "-monitor", "stdio", "-serial",
                "file:" + serial, "-kernel", guest, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", "-no-reboot", *options]
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        name, end, switches, said = engines[0].split(",")[0], time.monotonic() + LIMIT, 0, b""
        try:
            while p.poll() is None and time.monotonic() < end:
                engine = engines[(switches + 1) % len(engines)]
                if engine == "pause":
                    p.stdin.write(b"stop\n")
                    p.stdin.flush()
                    time.sleep(0.02)
                else:
                    name = engine.split(",")[0]
                # The answer to "info accel" begins with the engine's name: only then the switch is done.
                command = "cont" if engine == "pause" else f"accel-switch {engine}"
                p.stdin.write(f"{command}\ninfo accel\n".encode())
                p.stdin.flush()
                while True:
                    line = p.stdout.readline()
                    said += line
                    if not line or line.startswith(name.encode() + b":"):
                        break
                switches += bool(line)
                time.sleep(0.002)
        except BrokenPipeError:
            pass # it ended between two commands
        finally:
            if time.monotonic() >= end:
                p.kill()
        code = p.wait()
        with open(serial, encoding="latin1") as f:
            print(f.read()[-3000:])
    print(f"{switches} switches among {', '.join(engines)}; ended with {code}")
    if code != 33 or switches < int(least):
        print(said[-3000:].decode("latin1"))
        return 1
    return 0


sys.exit(main())
