"""A guest's console from outside: start an emulator on pipes or a pseudo-terminal, wait for text, type, see the end."""
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time


class GuestError(Exception):
    """What was expected did not come; the text says what and when."""


class Console:
    def __init__(self, argv, limit, terminal=False):
        """`limit` seconds hold for everything until the end.  With `terminal` the emulator controls a terminal."""
        self.argv = argv
        self.start = time.monotonic()
        self.deadline = self.start + limit
        self.text = b""
        self.mark = 0
        self.saved = None
        if terminal:
            self.fd, self.slave = pty.openpty()
            self.saved = termios.tcgetattr(self.slave)
            self.process = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                            start_new_session=True, preexec_fn=self._take_terminal)
            self.input = self.fd
        else:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT)
            self.fd = self.process.stdout.fileno()
            self.input = self.process.stdin.fileno()

    @staticmethod
    def _take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def elapsed(self):
        return time.monotonic() - self.start

    def _read(self, seconds):
        """False at the end of the output."""
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return True
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:  # a terminal that nobody has open any more
            return False
        self.text += chunk
        return bool(chunk)

    def wait(self, pattern, seconds=None):
        """Wait for a regular expression after the last match: the match.  GuestError when it does not come."""
        regex = re.compile(pattern.encode())
        deadline = self.deadline if seconds is None else min(self.deadline, time.monotonic() + seconds)
        began = time.monotonic()
        while True:
            found = regex.search(self.text, self.mark)
            if found:
                self.mark = found.end()
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestError(f"no {pattern!r} within {time.monotonic() - began:.0f} s")
            if not self._read(left if self.saved is None else min(left, 0.5)):
                raise GuestError(f"the emulator ended (code {self._reap()}) before {pattern!r} came")
            if self.saved is not None and self.process.poll() is not None and not select.select([self.fd], [], [], 0)[0]:
                raise GuestError(f"the emulator ended (code {self._reap()}) before {pattern!r} came")

    def send(self, keys):
        try:
            os.write(self.input, keys)
        except OSError as e:
            raise GuestError(f"cannot type {keys!r}: {e.strerror}") from e

    def type(self, line):
        self.send(line.encode() + (b"\n" if self.saved is None else b"\r"))

    def _reap(self):
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            return None

    def finish(self):
        """The exit code of an emulator that ends by itself before the limit; else GuestError."""
        while self.process.poll() is None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise GuestError("the emulator does not end")
            if not self._read(min(left, 0.2)):
                time.sleep(0.02)
        while select.select([self.fd], [], [], 0)[0] and self._read(0):
            pass
        return self.process.returncode

    def terminal_restored(self):
        return termios.tcgetattr(self.slave) == self.saved

    def close(self):
        """Whatever happened: no process and no descriptor stays behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.saved is None:
            self.process.stdin.close()
            self.process.stdout.close()
        else:
            os.close(self.fd)
            os.close(self.slave)
            self.saved = None

    def tail(self, size=3000):
        return self.text.decode("latin1")[-size:]
