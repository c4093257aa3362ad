#!/usr/bin/env python3
"""Boot a real kernel and use it:  boot.py [--accel NAME] [--work DIR] [--limit S] EMULATOR CASE...

EMULATOR is build/rhea; what the strict face must do runs by the name qemu-system-x86_64 beside it.  QEMU's own program
works too: every case then shows what QEMU does.  `list` as CASE names them all.  Guests are made in DIR (default: beside
this build) and kept.  Exit status 0: passed, 1: failed, 77: cannot run here (the reason is printed).
"""
import argparse
import contextlib
import os
import re
import signal
import sys
import time

from lab import GuestError, Lab, Skip, check

BOOT_LIMIT = 60     # seconds to the shell, on an idle machine of two cores
ANSWER_LIMIT = 60   # for a command in the guest
WHOLE_LIMIT = 240   # for a whole case on a busy one
PROMPT = "guest# "
TROUBLE = "BUG:|Oops|Call Trace|lockup|rcu.*stall|nobody cared|Marking clocksource|mce:.*rror|segfault|WARNING:"


def waited(pid):
    """Seconds that the busiest thread of a process stood in the queue for a processor."""
    worst = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/task/{task}/schedstat") as f:
            worst = max(worst, int(f.read().split()[1]))
    return worst / 1e9


def reach_shell(con, bound=None):
    """The bound holds without the time in which a busy machine gave the emulator no processor."""
    began, queue = con.elapsed(), waited(con.process.pid)
    con.wait(PROMPT)
    took, queue = con.elapsed() - began, waited(con.process.pid) - queue
    print(f"shell after {took:.1f} s ({queue:.1f} s of it without a processor)", flush=True)
    if bound:
        check(took - queue <= bound, f"{took - queue:.1f} s to the shell, more than {bound} s")


def ask(con, command, pattern):
    """Run a command in the guest and match what it prints.  The echo of a long command is wrapped: no pattern may match it."""
    con.type(command)
    con.wait(r"[^\n]*\n", ANSWER_LIMIT)
    found = con.wait(pattern, ANSWER_LIMIT)
    con.wait(PROMPT, ANSWER_LIMIT)
    return found


def no_trouble(con):
    """The whole kernel log has none of the words by which Linux complains."""
    ask(con, "dmesg; echo end=$((6*7))", r"end=42\s")
    found = re.search(rf"[^\n]*({TROUBLE})[^\n]*", con.text.decode("latin1"))
    check(not found, f"the kernel complains: {found and found.group()}")


def end(con, command, code):
    con.type(command)
    got = con.finish()
    check(got == code, f"{command}: the emulator ended with {got}, expected {code}")


def plain(con, cpus, machine):
    """What every boot must show."""
    reach_shell(con, bound=BOOT_LIMIT)
    ask(con, "echo sum=$((6*7)) cpus=$(nproc) on $(uname -m)", rf"sum=42 cpus={cpus} on {machine}\s")
    no_trouble(con)
    end(con, "poweroff -f", 0)


# ---- the cases ----

def boot64(cpus, model, *options):
    def case(lab):
        with lab.start(lab.guest64(), "-m", "512M", "-smp", str(cpus), "-cpu", model, *options) as con:
            plain(con, cpus, "x86_64")
    return case


def boot32(flavour):
    def case(lab):
        with lab.start(lab.guest32(flavour), "-m", "512M") as con:
            plain(con, 1, "i686")
    return case


def smp4_2g(lab):
    with lab.start(lab.guest64(), "-m", "2G", "-smp", "4") as con:
        reach_shell(con)
        ask(con, "nproc", r"(?m)^4\s")
        ask(con, "for i in 1 2 3 4; do taskset $((1 << (i - 1))) sh -c 'echo ran on $(cut -d\" \" -f39 /proc/self/stat)';"
            " done", r"ran on 0\s+ran on 1\s+ran on 2\s+ran on 3")
        total = int(ask(con, "grep MemTotal /proc/meminfo", r"MemTotal: +(\d+) kB").group(1))
        check(total > 1900000, f"2 GiB shows as {total} kB")
        no_trouble(con)
        end(con, "poweroff -f", 0)


def ram_5g(lab):
    """The part above 3.5 GiB stands above 4 GiB, and is used."""
    with open("/proc/meminfo") as f:
        free = int(re.search(r"MemAvailable: +(\d+)", f.read()).group(1)) // 1024
    if free < 6 * 1024:
        raise Skip(f"{free} MiB of free memory, 6 GiB are needed")
    with lab.start(lab.guest64(), "-m", "5G") as con:
        reach_shell(con)
        total = int(ask(con, "grep MemTotal /proc/meminfo", r"MemTotal: +(\d+) kB").group(1))
        check(total > 4800000, f"5 GiB show as {total} kB")
        ask(con, "grep 'System RAM' /proc/iomem", r"100000000-1[0-9a-f]{8} : System RAM")
        ask(con, "awk '/zone +Normal/ { n = 1 } n && /nr_free_pages|spanned|present/ { print } /nr_free/ { n = 0 }'"
            " /proc/zoneinfo; dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum",
            "7f614da9329cd3aebf59b91aadc30bf0")
        end(con, "poweroff -f", 0)


def pvh(lab):
    with lab.start(lab.guest_pvh(), "-m", "512M") as con:
        plain(con, 1, "x86_64")


def reboot(lab):
    with lab.start(lab.guest64(), "-m", "512M", append="quiet") as con:
        reach_shell(con)
        con.type("reboot -f")
        reach_shell(con)
        ask(con, "cat /proc/uptime", r"(?m)^\d+\.\d+ ")
        no_trouble(con)
        end(con, "poweroff -f", 0)


def no_reboot(lab):
    with lab.start(lab.guest64(), "-m", "512M", "-no-reboot", append="quiet", strict=True) as con:
        reach_shell(con)
        end(con, "reboot -f", 0)


def panic(strict):
    def case(lab):
        with lab.start(lab.guest64(), "-m", "512M", "-no-reboot", append="quiet", strict=strict) as con:
            reach_shell(con)
            con.type("echo c > /proc/sysrq-trigger")
            con.wait("Kernel panic - not syncing")
            code = con.finish()
            expected = 4 if lab.friendly and not strict else 0
            check(code == expected, f"the emulator ended with {code}, expected {expected}")
    return case


def keys(lab):
    """Ctrl-C and SysRq reach the guest, the monitor is one key away, and the terminal comes back as it was."""
    prompt = r"\((rhea|qemu)\) "
    with lab.start(lab.guest64(), "-m", "512M", append="quiet", terminal=True) as con:
        reach_shell(con)
        con.type("sleep 1000; echo slept: $?")
        time.sleep(1)
        con.send(b"\x03")
        con.type("echo status $((120 + $?))")
        con.wait(r"(?m)^status 250\s", 20)
        con.wait(PROMPT)
        con.send(b"\x01b")
        con.send(b"h")
        con.wait("sysrq: HELP", 20)
        con.send(b"\x01c")
        con.wait(prompt, 10)
        con.type("info status")
        con.wait("VM status: running", 10)
        con.wait(prompt, 10)
        con.send(b"\x01c")
        con.type("")
        con.wait(PROMPT, 20)
        check(not con.terminal_restored(), "the terminal is not raw while the guest has it")
        con.send(b"\x01x")
        code = con.finish()
        check(code == 0, f"Ctrl-A x: the emulator ended with {code}")
        check(con.terminal_restored(), "the terminal is not as it was before")


def power_button(lab):
    """system_powerdown in the monitor arrives as an ACPI interrupt, and as the press of a key (KEY_POWER is 116, 0x74)."""
    monitor = r"\((rhea|qemu)\) "
    with lab.start(lab.guest_modules(["button", "evdev"]), "-m", "512M", append="quiet", terminal=True) as con:
        reach_shell(con)
        ask(con, "insmod /button.ko; insmod /evdev.ko; dmesg", r"Power Button \[PWRF\]")
        interrupts = r"(?m)^ *9: +(\d+)"
        before = int(ask(con, "cat /proc/interrupts", interrupts).group(1))
        ask(con, "for e in /dev/input/event*; do hexdump -C -n 24 $e & done; sleep 1", "")
        con.send(b"\x01c")
        con.wait(monitor, 20)
        con.type("system_powerdown")
        con.wait(monitor, 20)
        con.send(b"\x01c")
        con.wait("01 00 74 00 01 00 00 00", 20)
        con.type("")
        con.wait(PROMPT, 20)
        after = int(ask(con, "cat /proc/interrupts", interrupts).group(1))
        check(after == before + 1, f"{before} ACPI interrupts before the button, {after} after it")
        end(con, "poweroff -f", 0)
        check(con.terminal_restored(), "the terminal is not as it was before")


def stopped_by_signal(strict):
    def case(lab):
        with lab.start(lab.guest64(), "-m", "512M", strict=strict, terminal=True) as con:
            con.wait("Linux version")
            check(not con.terminal_restored(), "the terminal is not raw while the guest has it")
            con.process.send_signal(signal.SIGTERM)
            code = con.finish()
            expected = 128 + signal.SIGTERM if lab.friendly and not strict else 0
            check(code == expected, f"the emulator ended with {code}, expected {expected}")
            check(con.terminal_restored(), "the terminal is not as it was before")
            check(re.search(rb"terminating on signal 15 from pid \d+", con.text), "no word about the signal")
    return case


CASES = {
    "64-smp1-max": boot64(1, "max"),
    "64-smp2-max": boot64(2, "max"),
    "64-smp1-qemu64": boot64(1, "qemu64"),
    "64-smp2-qemu64": boot64(2, "qemu64"),
    "32-686": boot32("686"),
    "32-686-pae": boot32("686-pae"),
    "pvh": pvh,
    "smp4-2g": smp4_2g,
    "ram-5g": ram_5g,
    "reboot": reboot,
    "no-reboot": no_reboot,
    "panic": panic(strict=False),
    "panic-strict": panic(strict=True),
    "keys": keys,
    "power-button": power_button,
    "signal": stopped_by_signal(strict=False),
    "signal-strict": stopped_by_signal(strict=True),
}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--accel", default="tcg")
    ap.add_argument("--work", help="where guests are made and kept")
    ap.add_argument("--limit", type=float, default=WHOLE_LIMIT, help="seconds for a whole case")
    ap.add_argument("emulator", metavar="EMULATOR")
    ap.add_argument("cases", metavar="CASE", nargs="+", choices=[*CASES, "list"])
    o = ap.parse_args()
    global BOOT_LIMIT, ANSWER_LIMIT
    if o.limit > WHOLE_LIMIT:  # an engine that is known to be slow
        BOOT_LIMIT, ANSWER_LIMIT = o.limit, o.limit
    if "list" in o.cases:
        print("\n".join(CASES))
        return 0
    # meson ends a test that takes too long by SIGTERM: the emulator may not stay behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("boot.py: terminated"))
    status = 0
    for name in o.cases:
        try:
            CASES[name](Lab(o))
            print(f"{name}: passed", flush=True)
        except Skip as e:
            print(f"{name}: skipped: {e}", flush=True)
            status = status or 77
        except GuestError as e:
            print(f"{name}: FAILED: {e}", flush=True)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
