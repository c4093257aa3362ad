"""What the command-line tests share: running the program under both names, tiny guests, a way to report."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback

LIMIT = 30  # seconds for any one run

# ---- tiny guests: 32-bit code in a multiboot image with load addresses (Multiboot 0.6.96, 3.1.3) ----

BASE = 0x100000
EXIT_PORT = 0xf4
EXIT_DEVICE = ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]


def image(code):
    flags = 0x10000
    header = struct.pack("<IIIIIIII", 0x1BADB002, flags, (-(0x1BADB002 + flags)) & 0xffffffff, BASE, BASE, 0, 0,
                         BASE + 32)
    return header + code


def out8(port, value):
    return b"\x66\xba" + struct.pack("<H", port) + b"\xb0" + bytes([value]) + b"\xee"


def say(text):
    """Poll the line status register for room, then send each byte."""
    code = b""
    for byte in text.encode():
        code += b"\x66\xba\xfd\x03" b"\xec\xa8\x20\x74\xfb" + out8(0x3f8, byte)
    return code


HALT = b"\xfa\xf4\xeb\xfd"
SPIN = b"\xeb\xfe"
# An IDT of limit 0 (six zero bytes of the header's padding stand in for the pseudo-descriptor), then int3.
TRIPLE_FAULT = b"\x0f\x01\x1d" + struct.pack("<I", BASE + 20) + b"\xcc"
RESET = out8(0x64, 0xfe) + SPIN
# S5 in the PM1 control register of the PIIX4: SLP_EN, type 0
POWER_OFF = b"\x66\xba\x04\x06\x66\xb8\x00\x20\x66\xef" + SPIN
# read a byte when there is one, send it back
ECHO = b"\x66\xba\xfd\x03\xec\xa8\x01\x74\xf7\x66\xba\xf8\x03\xec\xee\xeb\xef"


def debug_exit(value):
    return out8(EXIT_PORT, value) + SPIN


# ---- running ----

class Context:
    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.dir = tempfile.mkdtemp(prefix="rhea-cli-")
        self.strict_binary = os.path.join(self.dir, "qemu-system-x86_64")
        os.symlink(self.binary, self.strict_binary)
        self.started = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)

    def kernel(self, name, code):
        return self.file(name + ".img", image(code))

    def argv(self, args, strict=False):
        return [self.strict_binary if strict else self.binary, *args]

    def run(self, args, strict=False, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        return subprocess.run(self.argv(args, strict), timeout=LIMIT, **kw)

    def popen(self, args, strict=False, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        self.started.append(subprocess.Popen(self.argv(args, strict), **kw))
        return self.started[-1]

    def end_all(self):
        """What a failed test leaves running."""
        for p in self.started:
            if p.poll() is None:
                p.kill()
                p.wait()
        self.started.clear()


def one_message(text, strict):
    """One line, and in the friendly face at most the two lines of a caret after it."""
    name = "qemu-system-x86_64" if strict else "rhea"
    lines = text.split("\n")
    assert lines[-1] == "", f"no newline at the end of {text!r}"
    lines = lines[:-1]
    assert lines and lines[0].startswith(name + ": "), f"not a message of {name}: {text!r}"
    assert len(lines) == 1 or (not strict and len(lines) == 3 and lines[1].startswith("    ")
                               and re.fullmatch(r" +\^~*", lines[2])), f"more than one message: {text!r}"


def main(tests):
    context = Context(sys.argv[1])
    wanted = sys.argv[2:]
    failed = 0
    try:
        for test in tests:
            if wanted and test.__name__ not in wanted:
                continue
            try:
                count = test(context)
                print(f"ok   {test.__name__}" + (f" ({count} cases)" if count else ""), flush=True)
            except Exception:
                failed += 1
                print(f"FAIL {test.__name__}", flush=True)
                traceback.print_exc(file=sys.stdout)
            finally:
                context.end_all()
    finally:
        shutil.rmtree(context.dir, ignore_errors=True)
    sys.exit(1 if failed else 0)
