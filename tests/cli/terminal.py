#!/usr/bin/env python3
"""The terminal: raw while the guest has it, as it was before when the program ends, stops or crashes.

terminal.py BINARY [TEST]
"""
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

from harness import ECHO, HALT, LIMIT, Context, main, say

RAW_OFF = termios.ICANON | termios.ECHO | termios.IEXTEN


class Terminal:
    """The program in a session of its own with a pseudo-terminal in control, as a login shell would start it."""

    def __init__(self, c, args, strict=False):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.flags = fcntl.fcntl(self.slave, fcntl.F_GETFL)

        def child():
            for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(sig, signal.SIG_DFL)  # a job in the background, or under nohup, inherits them ignored
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.p = subprocess.Popen(c.argv(args, strict), stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                  preexec_fn=child)
        self.text = b""

    def read(self, limit=0.05):
        if select.select([self.master], [], [], limit)[0]:
            try:
                self.text = (self.text + os.read(self.master, 65536)).replace(b"\r\r\n", b"\r\n")
            except OSError:
                pass
        return self.text

    def until(self, text, limit=10.0):
        end = time.monotonic() + limit
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} in {self.text!r}"
            self.read()
        before, self.text = self.text.split(text, 1)
        return before

    def send(self, keys):
        os.write(self.master, keys)

    def mode(self):
        return termios.tcgetattr(self.slave)

    def wait_mode(self, raw, limit=5.0):
        end = time.monotonic() + limit
        while bool(self.mode()[3] & RAW_OFF) == raw:
            assert time.monotonic() < end, f"the terminal is {'not ' if raw else ''}raw"
            time.sleep(0.01)
        if not raw:
            assert self.mode() == self.before, "not as it was"

    def end(self, code):
        for _ in range(int(LIMIT / 0.05)):
            if self.p.poll() is not None:
                break
            self.read()
        got = self.p.wait(1)
        self.read()
        assert got == code, f"code {got}, text {self.text!r}"
        assert self.mode() == self.before, "the terminal is not as it was"
        assert fcntl.fcntl(self.slave, fcntl.F_GETFL) == self.flags, "flags of the shared terminal changed"
        os.close(self.master)
        os.close(self.slave)


def start_echo(c, *args, strict=False):
    t = Terminal(c, ["-kernel", c.kernel("echo", say("ready") + ECHO), *args], strict)
    t.until(b"ready")
    return t


def test_nographic(c: Context):
    """Every key goes to the guest, Ctrl-C included; Ctrl-A x ends."""
    for strict in (False, True):
        t = start_echo(c, "-nographic", strict=strict)
        t.wait_mode(raw=True)
        assert not t.mode()[3] & termios.ISIG
        t.send(b"abc\x03\x1a\x1c\x04\x11\x13\r\x7f")
        t.until(b"abc\x03\x1a\x1c\x04\x11\x13\r\x7f")
        t.send(b"\x01x")
        t.end(0)


def test_friendly_default(c):
    t = start_echo(c)
    t.wait_mode(raw=True)
    t.send(b"\x01x")
    t.end(0)


def test_escape_keys(c):
    t = start_echo(c, "-nographic")
    t.send(b"\x01h")
    t.until(b"C-a x    end the emulator")
    t.send(b"\x01\x01z")
    t.until(b"\x01z")
    t.send(b"\x01s")
    t.until(b"no snapshot disks")
    t.send(b"\x01c")
    t.until(b"(rhea) ")
    t.send(b"info status\r")
    t.until(b"VM status: running\r\n(rhea) ")
    t.send(b"info statsu\x7f\x7fus\r")
    t.until(b"running")
    t.send(b"\x1b[A\r")
    t.until(b"running")
    t.send(b"\x01cback in the guest")
    t.until(b"back in the guest")
    t.send(b"\x01c")
    t.send(b"quit\r")
    t.end(0)


def test_escape_when_guest_hangs(c):
    t = Terminal(c, ["-nographic", "-kernel", c.kernel("hung", say("hung") + HALT)])
    t.until(b"hung")
    t.send(b"nobody reads this" * 10)
    t.send(b"\x01x")
    t.end(0)


def test_other_escape(c):
    t = start_echo(c, "-nographic", "-echr", "20")
    t.send(b"\x01x")
    t.until(b"\x01x")
    t.send(b"\x14x")
    t.end(0)


def test_plain_stdio(c):
    """Without the monitor Ctrl-C ends the program."""
    t = start_echo(c, "-serial", "stdio", "-monitor", "none", "-display", "none")
    t.wait_mode(raw=True)
    assert t.mode()[3] & termios.ISIG
    t.send(b"\x03")
    t.end(128 + signal.SIGINT)
    assert b"terminating on signal 2" in t.text


def test_signal_off(c):
    t = start_echo(c, "-chardev", "stdio,id=con,signal=off,mux=on", "-serial", "chardev:con", "-mon", "chardev=con")
    t.send(b"\x03")
    t.until(b"\x03")
    t.send(b"\x01c")
    t.until(b"(rhea) ")
    t.send(b"quit\r")
    t.end(0)


def test_fatal_signals(c):
    """A crash gives the terminal back."""
    # A sanitizer would take the signals for a fault of its own program and end it another way.
    os.environ["ASAN_OPTIONS"] = "handle_segv=0:handle_sigbus=0:handle_abort=0"
    for sig in (signal.SIGTERM, signal.SIGHUP):
        t = start_echo(c, "-nographic")
        t.wait_mode(raw=True)
        t.p.send_signal(sig)
        t.end(128 + sig)
    for sig in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS, signal.SIGALRM):
        t = start_echo(c, "-nographic")
        t.wait_mode(raw=True)
        t.p.send_signal(sig)
        t.end(-sig)


def test_early_errors(c):
    """An error after the terminal was made raw."""
    t = Terminal(c, ["-nographic", "-kernel", "/no/such/kernel"])
    t.until(b"No such file")
    t.end(2)


def test_stop_and_continue(c):
    t = start_echo(c, "-nographic")
    t.wait_mode(raw=True)
    for _ in range(2):
        t.p.send_signal(signal.SIGTSTP)
        pid, status = os.waitpid(t.p.pid, os.WUNTRACED)
        assert pid and os.WIFSTOPPED(status)
        t.wait_mode(raw=False)
        t.p.send_signal(signal.SIGCONT)
        t.wait_mode(raw=True)
    t.send(b"still here")
    t.until(b"still here")
    t.send(b"\x01x")
    t.end(0)


def test_flow_stopped(c):
    """A terminal that takes no output (Ctrl-S) blocks the text, not the program."""
    t = Terminal(c, ["-nographic", "-kernel", c.kernel("fill", b"\x66\xba\xf8\x03" + say("go") + b"\xee\xeb\xfd")])
    t.until(b"go")
    time.sleep(0.5)  # nobody reads: everything is full
    t.p.send_signal(signal.SIGTERM)
    for _ in range(100):
        if t.p.poll() is not None:
            break
        time.sleep(0.05)
    assert t.p.poll() == 128 + signal.SIGTERM
    t.read()
    t.end(128 + signal.SIGTERM)


main([f for name, f in sorted(globals().items()) if name.startswith("test_")])
