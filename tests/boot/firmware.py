#!/usr/bin/env python3
"""Boot SeaBIOS:  firmware.py EMULATOR ENGINE [PROCESSORS]

It must find the machine's processors, memory and chips, say on its debug console that there is nothing to boot, and say
it again after a reset.  Skipped (77) without the firmware's file or where the engine does not work.
"""
import os
import subprocess
import sys
import tempfile
import time

BIOS = "/usr/share/seabios/bios-256k.bin"
LIMIT = 120
SKIP = 77
END = "No bootable device."


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def wait_for(p, path, count):
    """The debug console's text once it has the last line for the count-th time."""
    end, text = time.monotonic() + LIMIT, ""
    while time.monotonic() < end and p.poll() is None:
        with open(path, encoding="latin1") as f:
            text = f.read()
        if text.count(END) >= count:
            return text
        time.sleep(0.1)
    sys.exit(f"no {END!r} for the {count}. time; the debug console has:\n{text}")


def main():
    emulator, engine, cpus = sys.argv[1], sys.argv[2], (sys.argv[3:] or ["1"])[0]
    if not os.path.exists(BIOS):
        skip(f"{BIOS} is absent (Debian's package seabios)")
    state = subprocess.run([emulator, "-accel", engine + ",help"], stdout=subprocess.PIPE, text=True).stdout
    if "does not work: " in state:
        skip(state.split("does not work: ")[1].strip())
    with tempfile.TemporaryDirectory(prefix="rhea-firmware-") as folder:
        log = os.path.join(folder, "debugcon")
        open(log, "w").close()
        argv = [emulator, "-accel", engine, "-smp", cpus, "-m", "160M", "-display", "none", "-serial", "none", "-monitor",
                "stdio", "-L", os.path.dirname(BIOS), "-bios", os.path.basename(BIOS), "-chardev", f"file,id=log,path={log}",
                "-device", "isa-debugcon,iobase=0x402,chardev=log"]
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            text = wait_for(p, log, 1)
            for line in ("Running on QEMU (i440fx)", "QEMU fw_cfg DMA interface supported", "PIIX3/PIIX4 init: elcr=00 0c",
                         f"Found {cpus} cpu(s) max supported {cpus} cpu(s)", "PS2 keyboard initialized",
                         "0000000000100000 - 0000000009ffe000 = 1 RAM"):
                assert line in text, f"{line!r} is missing in:\n{text}"
            p.stdin.write(b"system_reset\n")
            p.stdin.flush()
            again = wait_for(p, log, 2)
            assert again.count("SeaBIOS (version") >= 2, again
            p.stdin.write(b"quit\n")
            p.stdin.flush()
            assert p.wait(LIMIT) == 0, p.returncode
        finally:
            p.kill()
    print("SeaBIOS came to its end twice")


main()
