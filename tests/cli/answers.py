#!/usr/bin/env python3
"""The monitor beside processors that never rest:  answers.py EMULATOR [TEST...]

On every engine that works here, with one processor and with more: commands are answered within a second, also while the
engine is being switched; what cannot be switched to is told, and the machine goes on.
"""
import os
import select
import struct
import subprocess
import sys
import time

from harness import BASE, SPIN, main

ANSWER_LIMIT = 1.0 # seconds, without the time in which a busy machine gave the emulator no processor
GIVE_UP = 30.0
PROMPT = b"(rhea) "
# Start the other processors by INIT, SIPI at a page with jmp $, then spin as well.
COPY = b"\xc7\x05" + struct.pack("<II", 0x8000, 0xfeeb)
ICR = lambda v: b"\xc7\x05" + struct.pack("<II", 0xfee00300, v)  # noqa: E731
START_ALL = COPY + ICR(0xc4500) + ICR(0xc4608) + SPIN


def engines(c):
    found = []
    for name in ("interp", "tcg", "kvm"):
        r = subprocess.run([c.binary, "-accel", name + ",help"], stdout=subprocess.PIPE, text=True)
        if "does not work: " not in r.stdout:
            found.append(name)
    return found


def waited(pid):
    """Seconds that the busiest thread of a process stood in the queue for a processor."""
    worst = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                worst = max(worst, int(f.read().split()[1]))
        except OSError:
            pass # it has ended
    return worst / 1e9


class Monitor:
    def __init__(self, c, engine, cpus, *more):
        kernel = c.kernel("spin", START_ALL if cpus > 1 else SPIN)
        self.p = c.popen(["-accel", engine, "-smp", str(cpus), "-m", "64M", "-display", "none", "-serial", "none",
                          "-monitor", "stdio", "-kernel", kernel, *more],
                         stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.until_prompts(1)
        time.sleep(0.1) # into the guest

    def until_prompts(self, count):
        text, end = b"", time.monotonic() + GIVE_UP
        while text.count(PROMPT) < count:
            ready = select.select([self.p.stdout], [], [], end - time.monotonic())[0]
            assert ready, f"no answer in {GIVE_UP} s: {text!r}"
            more = os.read(self.p.stdout.fileno(), 65536)
            assert more, f"the emulator ended: {text!r}"
            text += more
        return text.decode("latin1")

    def ask(self, *commands):
        """Commands sent at once; the text of all answers."""
        began, queue = time.monotonic(), waited(self.p.pid)
        self.p.stdin.write("".join(c + "\n" for c in commands).encode())
        self.p.stdin.flush()
        text = self.until_prompts(len(commands))
        took = time.monotonic() - began - (waited(self.p.pid) - queue)
        assert took <= ANSWER_LIMIT * len(commands), f"{commands}: {took:.2f} s"
        return text

    def expect(self, pattern, *commands):
        text = self.ask(*commands)
        assert pattern in text, f"{commands}: no {pattern!r} in {text!r}"

    def quit(self, *before):
        self.p.stdin.write("".join(c + "\n" for c in (*before, "quit")).encode())
        self.p.stdin.flush()
        began = time.monotonic()
        code = self.p.wait(GIVE_UP)
        assert code == 0, f"ended with {code}"
        return time.monotonic() - began


def for_each(c, test, *sizes):
    count = 0
    for engine in engines(c):
        for cpus in sizes:
            test(engine, cpus)
            count += 1
    return count


def spinning_guest(c):
    """What is asked for most, many times, while every processor spins."""
    def test(engine, cpus):
        m = Monitor(c, engine, cpus)
        for _ in range(3):
            m.expect("VM status: running", "info status")
            m.expect("RIP=" if cpus == 1 else "CPU", "info registers" if cpus == 1 else "info cpus")
            m.expect(engine, "info accel")
            m.expect("VM status: paused", "stop", "info status")
            m.expect("VM status: running", "cont", "info status")
        m.ask("system_reset")
        least = min(m.quit() for m in (m, Monitor(c, engine, cpus)))
        assert least <= ANSWER_LIMIT, f"quit took {least:.2f} s"
    return for_each(c, test, 1, 4)


def switch_and(c):
    """Stop, continue, reset and end right behind a switch, on the way to it and in its middle."""
    all_engines = engines(c)

    def test(engine, cpus):
        # KVM may lack what processors of the others have; the others lack nothing of KVM's.
        others = [e for e in all_engines if e != engine and e != "kvm"] + [engine]
        m = Monitor(c, engine, cpus)
        for other in others:
            m.expect("VM status: paused", f"accel-switch {other}", "stop", "info status")
            m.expect(f"{other}:", "info accel")
            m.expect("VM status: running", "cont", "info status")
        # while it stands still
        m.ask("stop")
        for other in others:
            m.expect("VM status: paused", f"accel-switch {other}", "info status")
            m.expect(f"{other}:", "info accel")
        m.expect("VM status: running", "cont", "info status")
        for other in others:
            m.ask(f"accel-switch {other}", "system_reset", "stop", f"accel-switch {other}", "cont")
        m.expect("VM status: running", "info status")
        m.quit(*(f"accel-switch {other}" for other in others))
    return for_each(c, test, 1, 4)


def not_possible(c):
    """A name that is none, options that are none, an engine that cannot have the machine: told, and it goes on."""
    def test(engine, cpus):
        m = Monitor(c, engine, cpus)
        m.expect("'warp' is not an accelerator", "accel-switch warp")
        m.ask("accel-switch")
        m.expect("speed", "accel-switch tcg,speed=9")
        m.expect("no options", "accel-switch interp,speed=9")
        m.expect(f"{engine}:", "info accel")
        m.expect("VM status: running", "info status")
        m.quit()
    return for_each(c, test, 1, 2)


def no_kvm(c):
    """KVM cannot run this processor, or is not there: one says why, and the machine runs on."""
    m = Monitor(c, "tcg", 1, "-cpu", "max")
    text = m.ask("accel-switch kvm")
    now = m.ask("info accel")
    if "kvm:" not in now:
        lines = [line for line in text.split("\n") if "kvm" in line.lower() and "(rhea)" not in line]
        assert lines, f"no reason in {text!r}"
        assert "tcg:" in now, now
    m.expect("VM status: running", "info status")
    m.quit()


assert BASE > 0x9000
main([spinning_guest, switch_and, not_possible, no_kvm])
