"""The guests that the boot cases use, made once in the build folder, and how an emulator is started with one."""
import contextlib
import fcntl
import gzip
import lzma
import os
import struct
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "scripts"))

from guestlib import Console, GuestError  # noqa: E402
import fetch_i386  # noqa: E402
import vmlinux  # noqa: E402


class Skip(Exception):
    """Why a case cannot run on this machine."""


def check(condition, what):
    if not condition:
        raise GuestError(what)


def release_of(bzimage):
    """The version text that the boot protocol's header points to (`uname -r` of the guest)."""
    with open(bzimage, "rb") as f:
        data = f.read(0x10000)
    start = struct.unpack_from("<H", data, 0x20e)[0] + 0x200
    return data[start:data.index(b"\0", start)].split()[0].decode()


def module(release, name):
    for where, _, files in os.walk(f"/lib/modules/{release}/kernel"):
        if name + ".ko" in files:
            with open(os.path.join(where, name + ".ko"), "rb") as f:
                return f.read()
        if name + ".ko.xz" in files:
            with lzma.open(os.path.join(where, name + ".ko.xz")) as f:
                return f.read()
    raise Skip(f"no module {name} for {release}")


def archive(files):
    """A cpio archive (newc) of plain files NAME.ko."""
    out = b""
    entries = [(name + ".ko", 0o100644, data) for name, data in files.items()] + [("TRAILER!!!", 0, b"")]
    for n, (name, mode, data) in enumerate(entries, 1):
        fields = (n, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data + b"\0" * (-len(data) % 4)
    return gzip.compress(out, mtime=0)


class Lab:
    """Where the guests and the emulator are."""

    def __init__(self, o):
        self.emulator = os.path.abspath(o.emulator)
        self.friendly = os.path.basename(o.emulator) == "rhea"
        self.accel = o.accel
        self.limit = o.limit
        self.work = o.work or os.path.join(os.path.dirname(self.emulator), "tests", "boot")

    @contextlib.contextmanager
    def folder(self, name):
        """A folder for one process at a time, so that two tests do not make the same guest at once."""
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(self.work, "." + name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield path

    def make(self, folder, *options):
        r = subprocess.run([os.path.join(ROOT, "scripts", "mkguest"), *options, folder], capture_output=True, text=True)
        if r.returncode != 0:
            raise Skip(r.stderr.strip())
        return ["-kernel", os.path.join(folder, "vmlinuz"), "-initrd", os.path.join(folder, "initrd.gz")]

    def guest64(self):
        with self.folder("amd64") as folder:
            return self.make(folder)

    def guest32(self, flavour):
        with self.folder("i386") as packages, self.folder(flavour) as folder:
            try:
                kernel, busybox = fetch_i386.fetch(packages, flavour)
            except fetch_i386.Unavailable as e:
                raise Skip(f"Debian's packages for i386: {e}") from e
            return self.make(folder, "--kernel", kernel, "--busybox", busybox)

    def guest_pvh(self):
        _, kernel, *rest = self.guest64()
        with self.folder("pvh") as folder:
            try:
                vmlinux.extract(kernel, os.path.join(folder, "vmlinux"))
            except vmlinux.Unavailable as e:
                raise Skip(str(e)) from e
            return ["-kernel", os.path.join(folder, "vmlinux"), *rest]

    def guest_modules(self, names):
        """The 64-bit guest with modules of its kernel at the top of its file tree: archives add up."""
        _, kernel, _, initrd = self.guest64()
        release = release_of(kernel)
        with self.folder("modules") as folder:
            path = os.path.join(folder, "initrd.gz")
            with open(path, "wb") as out, open(initrd, "rb") as base:
                out.write(base.read())
                out.write(archive({name: module(release, name) for name in names}))
            return ["-kernel", kernel, "-initrd", path]

    @contextlib.contextmanager
    def start(self, guest, *options, append="", strict=False, terminal=False):
        """-nographic, so that serial port, monitor and keys share pipes or (`terminal`) a terminal."""
        emulator = self.emulator
        if strict and self.friendly:
            emulator = os.path.join(os.path.dirname(emulator), "qemu-system-x86_64")
        argv = [emulator, "-accel", self.accel, "-nographic", *guest, *options, "-append",
                f"console=ttyS0 panic=-1 {append}".strip()]
        print("$", " ".join(argv), flush=True)
        con = Console(argv, self.limit, terminal)
        try:
            yield con
        except GuestError:
            print(con.tail())
            raise
        finally:
            con.close()
