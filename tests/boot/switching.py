#!/usr/bin/env python3
"""Boot Linux while its engine changes:  switching.py [--switches N] [--pause MS] [--work DIR] EMULATOR ENGINE ENGINE...

The guest boots and computes a checksum, once on the first engine alone, once with the monitor going round all of them,
MS milliseconds apart, until N switches are done.  The long form is --switches 1000 --pause 1: a thousand and more before
the shell.  Both must end in the same state: the console says the same but for numbers (times, addresses and rates are in
them), the checksum is the same, the guest's clock agrees with the host's, its clock source is the same, each second has
its timer interrupts, and the kernel complains of nothing.  Exit status as boot.py's.
"""
import argparse
import collections
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time

from boot import ANSWER_LIMIT, PROMPT, ask, end, no_trouble
from lab import GuestError, Lab, Skip, check

LIMIT = 900
PROMPT_OF_MONITOR = b"(rhea) "
WORKLOAD = ("i=0; while [ $i -lt 60 ]; do i=$((i+1)); dd if=/dev/zero bs=4k count=64 2>/dev/null | md5sum;"
            " seq 1 $((i*20)); done | md5sum")


class Switcher(threading.Thread):
    def __init__(self, path, engines, pause):
        super().__init__(daemon=True)
        self.path, self.engines, self.pause = path, engines, pause
        self.count, self.ended, self.trouble = 0, False, None

    def answer(self, sock):
        text = b""
        while not text.endswith(PROMPT_OF_MONITOR):
            more = sock.recv(4096)
            if not more:
                raise OSError("the monitor closed")
            text += more
        return text.decode("latin1")

    def run(self):
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                while sock.connect_ex(self.path):
                    time.sleep(0.01)
                self.answer(sock)
                while not self.ended:
                    engine = self.engines[(self.count + 1) % len(self.engines)]
                    sock.sendall(f"accel-switch {engine}\n".encode())
                    said = self.answer(sock).replace(f"accel-switch {engine}", "").replace("(rhea)", "").strip()
                    if said:
                        raise OSError(said)
                    self.count += 1
                    time.sleep(self.pause / 1000)
        except OSError as e:
            self.trouble = None if self.ended else str(e)


def number(con, command):
    """The one number that a command prints."""
    return float(ask(con, command + "; echo", r"(?m)^(\d+(?:\.\d+)?)\s").group(1))


def time_goes_on(con):
    """Two readings of the guest's clock against the host's, and the timer interrupts in between."""
    ticks = "awk '/^ *LOC:/ { print $2 }' /proc/interrupts"
    before, host = number(con, "cut -d' ' -f1 /proc/uptime"), con.elapsed()
    first = number(con, ticks)
    ask(con, "sleep 3; echo slept=$((6*7))", r"slept=42\s")
    last = number(con, ticks)
    guest, host = number(con, "cut -d' ' -f1 /proc/uptime") - before, con.elapsed() - host
    check(abs(guest - host) < 0.5 + host / 10, f"{guest:.2f} s in the guest, {host:.2f} s outside")
    check(last - first >= 3, f"{last - first:.0f} timer interrupts in three seconds")


def boot(lab, guest, switches, engines, pause):
    """Lines of the console as a bag, and what the workload came to."""
    with tempfile.TemporaryDirectory(prefix="rhea-switching-") as folder:
        path = os.path.join(folder, "monitor")
        with lab.start(guest, "-m", "512M", "-monitor", f"unix:{path},server,nowait", append="loglevel=7") as con:
            switcher = Switcher(path, engines, pause)
            if switches:
                switcher.start()
            con.wait(PROMPT)
            booted = con.text.decode("latin1").replace("\r", "").rsplit("\n", 1)[0]
            at_shell = switcher.count
            while True:
                result = ask(con, WORKLOAD, r"(?m)^([0-9a-f]{32}) ").group(1).decode()
                if switcher.count >= switches or switcher.trouble:
                    break
            time_goes_on(con)
            check(not switcher.trouble, f"the monitor: {switcher.trouble}")
            source = ask(con, "cat /sys/devices/system/clocksource/*/current_clocksource; echo", r"(?m)^([a-z-]+)\s")
            source = source.group(1).decode()
            switcher.ended = True
            no_trouble(con)
            print(f"{switcher.count} switches, {at_shell} of them before the shell; clock source {source}; {con.elapsed():.0f} s")
            end(con, "poweroff -f", 0)
    lines = (re.sub(r"^\[ *\d+\.\d+\] ", "", line) for line in booted.split("\n"))
    return collections.Counter(re.sub(r"\b(0x)?[0-9a-f]*[0-9][0-9a-f]*", "N", line).rstrip() for line in lines), result, source


def run(lab, o):
    guest = lab.guest64()
    alone, switched = boot(lab, guest, 0, o.engines, o.pause), boot(lab, guest, o.switches, o.engines, o.pause)
    differ = {line: (alone[0][line], switched[0][line]) for line in alone[0] | switched[0] if alone[0][line] != switched[0][line]}
    for line, (a, b) in sorted(differ.items()):
        print(f"{a} times alone, {b} switched: {line}")
    check(not differ, "the console says other things")
    check(alone[1] == switched[1], f"the workload came to {switched[1]}, not {alone[1]}")
    check(alone[2] == switched[2], f"the clock source is {switched[2]}, not {alone[2]}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--switches", type=int, default=200)
    ap.add_argument("--pause", type=float, default=20, help="milliseconds between two switches")
    ap.add_argument("--work")
    ap.add_argument("emulator", metavar="EMULATOR")
    ap.add_argument("engines", metavar="ENGINE", nargs="+")
    o = ap.parse_args()
    o.accel, o.limit = o.engines[0], LIMIT
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("switching.py: terminated"))
    try:
        run(Lab(o), o)
        print("passed")
        return 0
    except Skip as e:
        print(f"skipped: {e}")
        return 77
    except GuestError as e:
        print(f"FAILED: {e}")
        return 1


sys.exit(main())
