#!/usr/bin/env python3
"""Starting, stopping, resetting and ending a machine; streams and monitors from outside.

lifecycle.py BINARY [TEST]
"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

from harness import (ECHO, EXIT_DEVICE, HALT, LIMIT, POWER_OFF, RESET, SPIN, TRIPLE_FAULT, Context, debug_exit, main,
                     one_message, out8, say)

QUIET = ["-display", "none", "-monitor", "none"]
FACES = (False, True)


def wait_for(condition, what, limit=10.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"timed out: {what}")


def expect(r, code, where):
    assert r.returncode == code, f"{where}: code {r.returncode}, stdout {r.stdout!r}, stderr {r.stderr!r}"


# ---- how it ends ----

def test_debug_exit(c: Context):
    for value in (0, 1, 0x10, 0x7f):
        for strict in FACES:
            k = c.kernel("exit", say("bye") + debug_exit(value))
            r = c.run(["-kernel", k, *QUIET, "-serial", "stdio", *EXIT_DEVICE], strict)
            expect(r, (value << 1 | 1) & 0xff, value)
            assert r.stdout == b"bye" and r.stderr == b"", r


def test_power_off(c):
    for strict in FACES:
        r = c.run(["-kernel", c.kernel("off", POWER_OFF), *QUIET, "-serial", "null"], strict)
        expect(r, 0, "power off")
        assert r.stdout == r.stderr == b"", r


def test_no_reboot(c):
    for strict in FACES:
        for option in (["-no-reboot"], ["--no-reboot"], ["-action", "reboot=shutdown"]):
            r = c.run(["-kernel", c.kernel("reset", say("r") + RESET), *option, *QUIET, "-serial", "stdio"], strict)
            expect(r, 0, option)
            assert r.stdout == b"r" and r.stderr == b"", r


def test_kernel_panic(c):
    """A reset after Linux's words of panic is no success under our own name; QEMU's name knows no difference."""
    panicked = say("KKernel panic - not syncing: test")
    for code, strict, friendly in ((panicked + RESET, 0, 4), (panicked + POWER_OFF, 0, 0),
                                   (say("Kernel panic - not sync") + RESET, 0, 0)):
        k = c.kernel("panic", code)
        r = c.run(["-kernel", k, "-no-reboot", *QUIET, "-serial", "stdio"], strict=True)
        expect(r, strict, "strict")
        assert r.stderr == b"", r
        r = c.run(["-kernel", k, "-no-reboot", *QUIET, "-serial", "stdio"])
        expect(r, friendly, "friendly")
        assert (b"panicked" in r.stderr) == (friendly == 4), r


def test_reboot(c):
    """Without -no-reboot the kernel starts again, from a clean state."""
    p = c.popen(["-kernel", c.kernel("again", say("again.") + RESET), *QUIET, "-serial", "stdio"])
    text = b""
    while text.count(b"again.") < 3:
        chunk = os.read(p.stdout.fileno(), 4096)
        assert chunk, (text, p.stderr.read())
        text += chunk
    p.send_signal(signal.SIGTERM)
    assert p.wait(LIMIT) == 128 + signal.SIGTERM


def test_triple_fault(c):
    k = c.kernel("fault", TRIPLE_FAULT + HALT)
    for strict in FACES:
        r = c.run(["-kernel", k, "-no-reboot", *QUIET, "-serial", "null"], strict)
        expect(r, 0 if strict else 5, "triple fault")
        assert (r.stderr == b"") if strict else b"triple fault" in r.stderr, r
    r = c.run(["-kernel", k, *QUIET, "-serial", "null"])
    expect(r, 5, "a loop of triple faults")


def test_signals(c):
    k = c.kernel("ready", say("ready") + SPIN)
    for strict in FACES:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            p = c.popen(["-kernel", k, *QUIET, "-serial", "stdio"], strict)
            assert os.read(p.stdout.fileno(), 1) == b"r"
            p.send_signal(sig)
            out, err = p.communicate(timeout=LIMIT)
            assert p.returncode == (0 if strict else 128 + sig), (sig, p.returncode, err)
            one_message(err.decode(), strict)
            assert re.search(rf": terminating on signal {int(sig)} from pid {os.getpid()} \(\S+", err.decode()), err


def test_halted_is_idle(c):
    """A halted guest costs no processor time."""
    p = c.popen(["-kernel", c.kernel("halt", say("h") + HALT), *QUIET, "-serial", "stdio"])
    os.read(p.stdout.fileno(), 1)
    time.sleep(0.2)

    def ticks():
        return sum(int(n) for n in open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()[11:13])
    before = ticks()
    time.sleep(1)
    used = ticks() - before
    p.terminate()
    p.wait(LIMIT)
    assert used <= 5, f"{used} of 100 ticks"


# ---- command lines of known callers ----

def test_callers(c):
    """The options that tools pass, in the strict face: accepted, silent."""
    k = c.kernel("exit", say("ok") + debug_exit(0))
    run = ["-serial", "stdio", "-kernel", k, *EXIT_DEVICE]
    for args in (
        # kvm-unit-tests
        ["--no-reboot", "-nodefaults", "-global", "kvm-pit.lost_tick_policy=discard", "-device", "pc-testdev", "-display",
         "none", "-device", "pci-testdev", "-smp", "2", "-append", "a b,c", "-m", "256", "-cpu", "max"],
        # kunit
        ["-nodefaults", "-m", "1024", "-no-reboot", "-nographic", "-bios", "qboot.rom"],
        # a bit of everything that is accepted
        ["-nodefaults", "-name", "guest=a,debug-threads=on", "-uuid", "6f6a2b1c-0c5e-4d3b-9a51-0123456789ab", "-rtc",
         "base=utc,driftfix=slew", "-boot", "strict=on,menu=on", "-msg", "timestamp=on", "-sandbox", "on,obsolete=deny",
         "-overcommit", "mem-lock=off", "-no-user-config", "-net", "none", "-parallel", "none", "-vga", "none", "-echr",
         "1", "-machine", "type=pc,acpi=on", "-machine", "vmport=off,kernel_irqchip=split", "-M", "pc", "-k", "en-us",
         "-display", "none", "-smp", "cpus=2,cores=2,sockets=1", "-m", "size=256M", "-no-hpet"],
        ["-M", "pc-i440fx-7.2", "-display", "none", "-accel", "hvf", "-accel", "interp"],
        ["-display", "none", "-machine", "accel=kvm:interp"],
    ):
        r = c.run([*args, *run], strict=True)
        expect(r, 1, args)
        assert r.stdout == b"ok" and r.stderr == b"", (args, r)


def test_friendly_file(c):
    """A kernel alone: it runs, headless, on the terminal."""
    r = c.run([c.kernel("exit", say("hello") + debug_exit(1)), *EXIT_DEVICE])
    expect(r, 3, "file alone")
    assert b"hello" in r.stdout, r
    r = c.run(["--kernel=" + c.path("exit.img"), "--m=256M", *EXIT_DEVICE])
    expect(r, 3, "options with =")


def test_texts_scripts_read(c):
    first = c.run(["-h"], strict=True).stdout.decode().split("\n")[0]
    assert first.startswith("QEMU emulator version 7.2.0 "), first
    assert c.run(["--help"], strict=True).stdout.decode().split("\n")[0] == first
    assert c.run(["-version"], strict=True).stdout.decode() == first + "\n"
    assert re.search(r"\d+\.\d+\.\d+", c.run(["--version"]).stdout.decode())
    devices = c.run(["-device", "?"], strict=True).stdout.decode()
    for name in ("pc-testdev", "pci-testdev", "isa-debug-exit"):
        assert f'"{name}"' in devices, devices
    assert "iobase=<uint" in c.run(["-device", "isa-debug-exit,help"]).stdout.decode()
    assert "interp" in c.run(["-accel", "help"], strict=True).stdout.decode().split("\n")
    assert "tb-size=<MiB>" in c.run(["-accel", "tcg,help"]).stdout.decode()
    assert "no options for interp" in c.run(["-accel", "interp,help"]).stdout.decode()
    assert re.search(r"^pc +", c.run(["-machine", "help"], strict=True).stdout.decode(), re.M)
    assert "qemu64" in c.run(["-cpu", "help"]).stdout.decode()
    assert "guest_errors" in c.run(["-d", "help"]).stdout.decode()
    assert "socket" in c.run(["-chardev", "help"]).stdout.decode()


# ---- streams ----

def test_echo_through_pipes(c):
    """Input and output by pipes: all of it, in order, and no end at end of input."""
    p = c.popen(["-kernel", c.kernel("echo", ECHO), *QUIET, "-serial", "stdio"], stdin=subprocess.PIPE)
    data = bytes(range(256)) * 40
    p.stdin.write(data)
    p.stdin.close()
    text = b""
    while len(text) < len(data):
        chunk = os.read(p.stdout.fileno(), 65536)
        assert chunk, (len(text), p.stderr.read())
        text += chunk
    assert text == data
    time.sleep(0.1)
    assert p.poll() is None
    p.terminate()
    p.wait(LIMIT)


SPAM = b"\xb9\x00\x00\x02\x00" + b"\x66\xba\xfd\x03\xec\xa8\x20\x74\xfb\x66\xba\xf8\x03\x88\xc8\xee\xe2\xee"


def test_slow_reader(c):
    """128 KiB to a reader that takes its time: nothing is lost, nothing is reordered."""
    p = c.popen(["-kernel", c.kernel("spam", SPAM + debug_exit(1)), *QUIET, "-serial", "stdio", *EXIT_DEVICE])
    time.sleep(0.5)
    text, err = p.communicate(timeout=LIMIT)
    assert len(text) == 0x20000 and p.returncode == 3, (len(text), p.returncode, err)
    assert text == bytes((0x20000 - i) & 0xff for i in range(0x20000))


def test_dead_outputs(c):
    """A closed or full standard output loses the text, tells once, and changes nothing else."""
    k = c.kernel("spam", SPAM + debug_exit(1))
    args = ["-kernel", k, *QUIET, "-serial", "stdio", *EXIT_DEVICE]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open("/dev/full", "wb") as full:
        for out, what in ((full, "No space left on device"), (write_end, "Broken pipe")):
            r = c.run(args, stdout=out)
            assert r.returncode == 3, r
            assert r.stderr.decode() == f"rhea: stdio: cannot write: {what}; output is dropped\n", r
    os.close(write_end)
    r = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&- <&-', c.binary, *args], stderr=subprocess.PIPE, timeout=LIMIT)
    assert r.returncode == 3 and r.stderr.count(b"\n") == 1, r
    r = c.run(["-kernel", k, *QUIET, "-serial", "file:/dev/full", *EXIT_DEVICE], strict=True)
    assert r.returncode == 3 and r.stderr.count(b"\n") == 1, r
    r = c.run(["-kernel", k, *QUIET, "-serial", "null", "-d", "mmio", "-D", "/dev/full", *EXIT_DEVICE])
    assert r.returncode == 3 and r.stderr.count(b"\n") <= 1, r


def test_serial_file(c):
    k = c.kernel("exit", say("to a file") + debug_exit(0))
    c.run(["-kernel", k, *QUIET, "-serial", "file:" + c.path("log"), *EXIT_DEVICE])
    assert open(c.path("log")).read() == "to a file"
    c.run(["-kernel", k, *QUIET, "-chardev", f"file,id=f,path={c.path('log')},append=on", "-serial", "chardev:f",
           *EXIT_DEVICE])
    assert open(c.path("log")).read() == "to a file" * 2


def test_two_ports_and_debugcon(c):
    code = say("one") + out8(0x2f8, ord("2")) + out8(0xe9, ord("d")) + debug_exit(0)
    r = c.run(["-kernel", c.kernel("two", code), *QUIET, "-serial", "file:" + c.path("p1"), "-serial",
               "file:" + c.path("p2"), "-debugcon", "stdio", *EXIT_DEVICE])
    expect(r, 1, "two ports")
    assert (open(c.path("p1")).read(), open(c.path("p2")).read(), r.stdout) == ("one", "2", b"d")


def test_serial_socket(c):
    path = c.path("serial.sock")
    p = c.popen(["-kernel", c.kernel("echo", ECHO), *QUIET, "-serial", f"unix:{path},server=on,wait=off"])
    wait_for(lambda: os.path.exists(path), "the socket")
    for text in (b"first peer", b"second peer"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LIMIT)
            wait_for(lambda: s.connect_ex(path) == 0, "a connection")
            s.sendall(text)
            got = b""
            while len(got) < len(text):
                got += s.recv(100)
            assert got == text
    p.terminate()
    p.wait(LIMIT)
    assert not os.path.exists(path)


def test_wait_for_peer(c):
    path = c.path("wait.sock")
    p = c.popen(["-kernel", c.kernel("exit", say("hi") + debug_exit(0)), *QUIET, "-serial", f"unix:{path},server=on",
                 *EXIT_DEVICE])
    line = p.stderr.readline()
    assert b"waiting for a connection on unix:" in line, line
    time.sleep(0.1)
    assert p.poll() is None
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        assert s.recv(100, socket.MSG_WAITALL) == b"hi"
    assert p.wait(LIMIT) == 1


# ---- monitor ----

class Monitor:
    def __init__(self, path, prompt="(rhea) "):
        self.prompt = prompt
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        wait_for(lambda: self.sock.connect_ex(path) == 0, "the monitor's socket")
        self.greeting = self.until_prompt()

    def until_prompt(self):
        text = ""
        while not text.endswith(self.prompt):
            chunk = self.sock.recv(65536).decode()
            assert chunk, f"the monitor closed after {text!r}"
            text += chunk
        return text[:-len(self.prompt)].replace("\r\n", "\n")

    def __call__(self, line):
        self.sock.sendall(line.encode() + b"\n")
        text = self.until_prompt()
        assert text.startswith(line + "\n"), text
        return text[len(line) + 1:]

    def quit(self):
        self.sock.sendall(b"quit\n")


def start_monitor(c, code, *args, strict=False):
    path = tempfile.mktemp(dir=c.dir)
    p = c.popen(["-kernel", c.kernel("monitored", code), "-display", "none", "-monitor", f"unix:{path},server,nowait",
                 *args], strict)
    return p, Monitor(path, "(qemu) " if strict else "(rhea) ")


def test_engines(c):
    """Without -accel: KVM where it is good, else the translator; the interpreter says that it does not translate."""
    for args, engines in ([], ("kvm", "tcg")), (["-accel", "interp"], ("interp",)):
        p, mon = start_monitor(c, SPIN, "-serial", "null", *args)
        engine = re.search(r"^accelerator: (\w+)", mon("info accel"), re.M)[1]
        assert engine in engines, engine
        jit = "cpu 0\n" if engine == "tcg" else "there is no translator: -accel tcg has one\n"
        assert mon("info jit").startswith(jit), mon("info jit")
        mon.quit()
        assert p.wait(LIMIT) == 0


def test_monitor(c):
    for strict in FACES:
        p, mon = start_monitor(c, say("x") + SPIN, "-serial", "stdio", "-smp", "2", strict=strict)
        assert "monitor - type 'help'" in mon.greeting
        os.read(p.stdout.fileno(), 1)
        assert mon("info status") == "VM status: running\n"
        assert "system_reset" in mon("help")
        assert re.search(r"[RE]IP=", mon("info registers"))
        assert "CPU#1" in mon("info registers -a")
        assert re.search(r"i8259", mon("info mtree") + mon("info pic"))
        assert mon("info cpus").startswith("* CPU #0"), mon("info cpus")
        assert re.match(r"\w+: .", mon("info accel")), mon("info accel")
        assert "serial0: filename=stdio" in mon("info chardev")
        assert "i8254" in mon("info device")
        assert "did you mean 'info'" in mon("inof status")
        assert "unknown info item" in mon("info nonsense")
        assert mon("") == ""
        mon("stop")
        wait_for(lambda: mon("info status") == "VM status: paused\n", "stopped")
        mon("cont")
        wait_for(lambda: mon("info status") == "VM status: running\n", "running")
        mon.quit()
        assert p.wait(LIMIT) == 0
        assert p.stderr.read() == b""


def test_monitor_memory(c):
    p, mon = start_monitor(c, SPIN, "-serial", "null")
    assert mon("xp/2xw 0x100000") == "0000000000100000: 0x1badb002 0x00010000\n"
    assert mon("x/4xb 0x100000") == "0000000000100000: 0x02 0xb0 0xad 0x1b\n"
    assert mon("x/2xh 0x100000+2-2") == "0000000000100000: 0xb002 0x1bad\n"
    assert mon("xp/1dw 0x100000") == f"0000000000100000: {0x1badb002}\n"
    assert mon("xp /1xg 0x100000") == "0000000000100000: 0x000100001badb002\n"
    assert re.search("jmp", mon("x/1i $pc")), mon("x/1i $pc")
    assert "jmp" in mon("x/i $eip")
    assert "cannot access memory" in mon("xp/1xw 0xf0000000")
    assert "an address is" in mon("x/1xw $nonsense")
    assert "the format is" in mon("x/1zw 0")
    assert "an address is" in mon("x")
    for line in ("x/", "xp/99999999999999999999xw 0", "x/4xw 1+", "info", "help x", "cpu 7", "cpu 0", "log none",
                 "log nonsense", "nmi", "\x1b[A\x1b[B\x7f\x7f\x15", "y" * 5000):
        mon.sock.sendall(line.encode() + b"\r\n")
        mon.until_prompt()
    mon.sock.sendall(b"info status\n")
    wait_for(lambda: "running" in mon.until_prompt(), "still alive")
    mon.quit()
    assert p.wait(LIMIT) == 0


def test_start_stopped(c):
    p, mon = start_monitor(c, say("go") + debug_exit(2), "-serial", "stdio", "-S", *EXIT_DEVICE)
    assert mon("info status") == "VM status: paused (prelaunch)\n"
    assert re.search(r"[RE]IP=0*100020", mon("info registers")), mon("info registers")
    mon("cont")
    assert p.stdout.read() == b"go" and p.wait(LIMIT) == 5


def test_no_shutdown(c):
    p, mon = start_monitor(c, say("off") + POWER_OFF, "-serial", "stdio", "-no-shutdown")
    assert os.read(p.stdout.fileno(), 3)
    wait_for(lambda: mon("info status") == "VM status: paused (shutdown)\n", "powered off")
    assert "system_reset first" in mon("cont")
    mon("system_reset")
    wait_for(lambda: mon("info status") == "VM status: paused\n", "reset")
    mon.quit()
    assert p.wait(LIMIT) == 0


def test_system_reset(c):
    p, mon = start_monitor(c, say("boot") + SPIN, "-serial", "stdio", "-no-reboot")
    text = b""
    for n in range(1, 4):
        while len(text) < 4 * n:
            text += os.read(p.stdout.fileno(), 100)
        mon("system_reset")
    mon("system_powerdown")  # nobody listens: no effect
    assert mon("info status") == "VM status: running\n"
    mon.quit()
    assert p.wait(LIMIT) == 0


# ---- processes ----

def test_pidfile(c):
    pidfile = c.path("pid")
    p = c.popen(["-kernel", c.kernel("halt", say("h") + HALT), *QUIET, "-serial", "stdio", "-pidfile", pidfile])
    os.read(p.stdout.fileno(), 1)
    assert int(open(pidfile).read()) == p.pid
    r = c.run(["-kernel", c.path("halt.img"), *QUIET, "-pidfile", pidfile])
    assert r.returncode == 2 and b"still running" in r.stderr, r
    assert int(open(pidfile).read()) == p.pid
    p.terminate()
    p.wait(LIMIT)
    assert not os.path.exists(pidfile)


def test_daemonize(c):
    pidfile = c.path("pid")
    k = c.kernel("halt", HALT)
    r = c.run(["-kernel", k, "-daemonize", "-pidfile", pidfile, "-display", "none"])
    expect(r, 0, "daemonize")
    assert r.stdout == r.stderr == b"", r
    pid = int(open(pidfile).read())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(pidfile), "the end of the daemon")
    r = c.run(["-kernel", "/no/such/kernel", "-daemonize", "-display", "none"])
    expect(r, 2, "daemonize with an error")
    assert b"No such file" in r.stderr, r


main([f for name, f in sorted(globals().items()) if name.startswith("test_")])
