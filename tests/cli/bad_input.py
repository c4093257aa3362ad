#!/usr/bin/env python3
"""Every mistake on the command line gets one clear message and an exit code, and nothing else happens.

bad_input.py BINARY [TEST]
"""
import os
import re
import socket
import struct
import subprocess

from harness import HALT, Context, image, main, one_message


def check(c: Context, args, code, pattern, strict=None):
    faces = (False, True) if strict is None else (strict,)
    for face in faces:
        r = c.run(args, strict=face)
        err = r.stderr.decode()
        want = (1 if face else code)
        where = f"{'strict' if face else 'friendly'} {args}: code {r.returncode}, stderr {err!r}"
        assert r.returncode == want, where
        assert r.stdout == b"", f"{where}, stdout {r.stdout!r}"
        one_message(err, face)
        assert re.search(pattern, err.split("\n")[0]), f"{where}: no {pattern!r}"


def check_all(c, cases):
    good = c.kernel("good", HALT)
    for args, code, pattern in cases:
        check(c, [good if a == "GOOD" else a for a in args], code, pattern)
    return len(cases)


def bzimage(size):
    """A Linux header that promises more than the file has."""
    head = bytearray(max(size, 0x400))
    head[0x1f1] = 4
    struct.pack_into("<H", head, 0x1fe, 0xaa55)
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, 0x20f)
    struct.pack_into("<I", head, 0x1f4, 0x10000)
    return bytes(head[:size])


def test_kernels(c):
    empty = c.file("empty", b"")
    text = c.file("text", b"just some words\n" * 100)
    qcow2 = c.file("disk.img", b"QFI\xfb\0\0\0\3" + bytes(4096))
    elf = c.file("cut.elf", b"\x7fELF\x02\x01\x01" + bytes(40))
    cut = c.file("cut.bz", bzimage(0x600))
    tiny = c.file("tiny.bz", bzimage(0x210))
    bad_load = c.file("high.img", image(HALT)[:12] + struct.pack("<IIIII", 0xfffff000, 0xfffff000, 0, 0, 0xfffff020)
                      + HALT)
    return check_all(c, [
        (["-kernel", "/no/such/kernel"], 2, "could not open kernel file '/no/such/kernel': No such file or directory"),
        (["-kernel", c.dir], 2, "could not (open|load) kernel.*Is a directory"),
        (["-kernel", empty], 1, "could not load kernel.*empty"),
        (["-kernel", text], 1, "could not load kernel.*not a kernel"),
        (["-kernel", qcow2], 1, "could not load kernel.*qcow2"),
        (["-kernel", elf], 1, "could not load kernel"),
        (["-kernel", cut], 1, "could not load kernel"),
        (["-kernel", tiny], 1, "could not load kernel"),
        (["-kernel", bad_load], 1, "could not load kernel"),
        (["-kernel", ""], 2, "could not open kernel file ''"),
        (["-kernel", "GOOD", "-initrd", "/no/such/initrd"], 2, "No such file"),
        (["-append", "x"], 1, "-append.*only allowed with -kernel"),
        (["-initrd", "x"], 1, "-initrd.*only allowed with -kernel"),
        ([], 3, "nothing to boot"),
        (["-bios", "no-such-bios.bin"], 1, "could not find firmware"),
        (["-bios", "/dev/null"], 1, "multiple of 64 KiB"),
    ])


def test_large_initrd(c):
    with open(c.path("big"), "wb") as f:
        f.truncate(300 << 20)
    check(c, ["-m", "128M", "-kernel", c.kernel("good", HALT), "-initrd", c.path("big")], 2, "initrd|module|larger -m")


def test_memory(c):
    return check_all(c, [
        (["-kernel", "GOOD", "-m", "0"], 1, "0 bytes of memory is too little"),
        (["-kernel", "GOOD", "-m", "1k"], 1, "too little"),
        (["-kernel", "GOOD", "-m", "2GB"], 1, "'2GB' is not a size: drop the B: 2G"),
        (["-kernel", "GOOD", "-m", "2GiB"], 1, "drop the iB: 2G"),
        (["-kernel", "GOOD", "-m", "100T"], 1, "100 TiB.*limit is 1020 GiB"),
        (["-kernel", "GOOD", "-m", "-5"], 1, "negative"),
        (["-kernel", "GOOD", "-m", "lots"], 1, "'lots' is not a size"),
        (["-kernel", "GOOD", "-m", "99999999999999999999"], 1, "64 bits"),
        (["-kernel", "GOOD", "-m", ""], 1, "size is missing"),
        (["-kernel", "GOOD", "-m", "1G,maxmem=2G"], 1, "hot-plug"),
        (["-kernel", "GOOD", "-m", "1G,siez=2G"], 1, "did you mean 'size'"),
        (["-kernel", "GOOD", "-m"], 1, "requires an argument"),
    ])


def test_host_memory(c):
    check(c, ["-kernel", c.kernel("good", HALT), "-m", "1000G"], 1, "the host has .* free; use -m", strict=False)


def test_processors(c):
    return check_all(c, [
        (["-kernel", "GOOD", "-smp", "0"], 1, "cpus takes 1 to"),
        (["-kernel", "GOOD", "-smp", "two"], 1, "takes a number"),
        (["-kernel", "GOOD", "-smp", "100000"], 1, r"Invalid SMP CPUs 100000.*\(\d+\)"),
        (["-kernel", "GOOD", "-smp", "4,cores=3"], 1, "4 processors are not a multiple of 3"),
        (["-kernel", "GOOD", "-smp", "4,maxcpus=2"], 1, "maxcpus=2 is less"),
        (["-kernel", "GOOD", "-smp", "4,coers=2"], 1, "did you mean 'cores'"),
        (["-kernel", "GOOD", "-cpu", "qemu46"], 1, "-cpu qemu46: .*qemu64"),
        (["-kernel", "GOOD", "-cpu", "max,+nosuchfeature"], 1, "nosuchfeature"),
    ])


def test_options(c):
    good = c.kernel("good", HALT)
    n = check_all(c, [
        (["--memroy", "2G"], 1, "did you mean -m|invalid option|unknown option"),
        (["-kernle", good], 1, "did you mean -kernel"),
        (["-zzzzzz"], 1, "-zzzzzz"),
        (["-kernel", "GOOD", "-drive", "file=x"], 1, "-drive: known option, not supported yet"),
        (["-kernel", "GOOD", "-netdev", "user,id=a"], 1, "not supported yet"),
        (["-kernel", "GOOD", "-net", "user"], 1, "only none"),
        (["-kernel", "GOOD", "-display", "sdl"], 1, "only none"),
        (["-kernel", "GOOD", "-vga", "std"], 1, "only none"),
        (["-kernel", "GOOD", "-parallel", "stdio"], 1, "only none"),
        (["-kernel", "GOOD", "-machine", "pcc"], 1, "unsupported machine type 'pcc', did you mean 'pc'"),
        (["-kernel", "GOOD", "-machine", "pc,accell=interp"], 1, "did you mean 'accel'"),
        (["-kernel", "GOOD", "-machine", "pc,usb=on"], 1, "not supported yet"),
        (["-kernel", "GOOD", "-machine", "pc,memory-backend=m"], 1, "memory-backend= is known but not supported yet"),
        (["-kernel", "GOOD", "-machine", "pc,pit=perhaps"], 1, "on or off"),
        (["-kernel", "GOOD", "-accel", "interp", "-machine", "accel=interp"], 1, "use one of the two"),
        (["-kernel", "GOOD", "-rtc", "clock=sun"], 1, "host, rt or vm"),
        (["-kernel", "GOOD", "-rtc", "base=yesterday"], 1, "yesterday"),
        (["-kernel", "GOOD", "-boot", "z"], 1, "letters a to p"),
        (["-kernel", "GOOD", "-uuid", "12"], 1, "-uuid 12"),
        (["-kernel", "GOOD", "-echr", "ctrl-a"], 1, "a number from 0"),
        (["-kernel", "GOOD", "-global", "nonsense"], 1, "DEVICE.PROPERTY=VALUE"),
        (["-kernel", "GOOD", "-action", "reboot=never"], 1, "reboot is reset, shutdown"),
        (["-kernel", "GOOD", "-d", "nosuchitem"], 1, "nosuchitem"),
        (["-kernel", "GOOD", "-D", "/no/such/dir/log"], 2, "No such file or directory"),
        (["-kernel", "GOOD", "-pidfile", "/no/such/dir/pid"], 2, "No such file or directory"),
    ])
    check(c, ["--memory", "2G"], 1, "unknown option --memory; did you mean -m 2G", strict=False)
    check(c, ["--kernel=" + good, "--no-reboot=yes"], 1, "-no-reboot takes no value", strict=False)
    check(c, ["-foo"], 1, "^qemu-system-x86_64: -foo: invalid option", strict=True)
    return n + 3


def test_accelerators(c):
    good = c.kernel("good", HALT)
    check(c, ["-kernel", good, "-accel", "xen"], 7, "no accelerator works: xen: not supported yet; use -accel")
    check(c, ["-kernel", good, "-accel", "intrep"], 7, "invalid accelerator, did you mean 'interp'")
    return 2 + check_all(c, [
        (["-kernel", "GOOD", "-machine", "pc,kernel_irqchip=maybe", "-accel", "kvm"], 1, "takes on, split or off, not 'maybe'"),
        (["-kernel", "GOOD", "-accel", "interp,x=1"], 1, "-accel interp: .*takes no options, got 'x=1'"),
        (["-kernel", "GOOD", "-accel", "tcg,tbsize=64"], 1, "-accel tcg: unknown key 'tbsize', did you mean 'tb-size'"),
        (["-kernel", "GOOD", "-accel", "tcg,tb-size=3"], 1, "-accel tcg: tb-size takes 4 to 2047, not 3"),
        (["-kernel", "GOOD", "-accel", "tcg,tb-size=lots"], 1, "-accel tcg: tb-size takes a number, not 'lots'"),
        (["-kernel", "GOOD", "-accel", "tcg,thread=many"], 1, "-accel tcg: thread takes single or multi, not 'many'"),
        (["-kernel", "GOOD", "-accel", "tcg,chaos=lots"], 1, "-accel tcg: chaos takes off or a number, not 'lots'"),
        (["-kernel", "GOOD", "-accel", "tcg,check=maybe"], 1, "-accel tcg: check takes on, off or a number from 1 to 256, not 'maybe'"),
        (["-kernel", "GOOD", "-accel", "tcg,thread=single", "-smp", "2"], 1, "thread=single runs one processor"),
        (["-kernel", "GOOD", "-accel", "tcg,tb-size=4", "-smp", "64"], 1, "too small for 64 processors, use 8 or more"),
        (["-accel", "tgc,help"], 1, "-accel: 'tgc' is not an accelerator"),
    ])


def test_files(c):
    good = c.kernel("good", HALT)
    disk = c.file("disk", b"QFI\xfb" + bytes(100))
    check(c, [disk], 3, "it is a qcow2 disk image, which is not supported yet", strict=False)
    check(c, ["/no/such/file"], 2, "cannot open '/no/such/file': No such file", strict=False)
    check(c, ["https://example.org/x"], 2, "network", strict=False)
    check(c, [c.dir], 3, "a directory", strict=False)
    check(c, [c.file("nothing", b"")], 3, "empty", strict=False)
    check(c, [good, good], 1, "only one file")
    check(c, [good], 1, "disk image, which is not supported yet", strict=True)
    return 7


def test_devices(c):
    return check_all(c, [
        (["-kernel", "GOOD", "-device", "isa-debug-exot"], 1, "isa-debug-exit"),
        (["-kernel", "GOOD", "-device", "virtio-net-pci"], 1, "virtio-net-pci"),
        (["-kernel", "GOOD", "-device", "isa-debug-exit,iobsae=0xf4"], 1, "iobase"),
        (["-kernel", "GOOD", "-device", "isa-debug-exit,iobase=here"], 1, "here"),
        (["-kernel", "GOOD", "-device", "isa-debug-exit,iobase=0x10000"], 1, "0x10000|65536|65535|0xffff"),
        (["-kernel", "GOOD", "-device", "i8259"], 1, "i8259"),
        (["-kernel", "GOOD", "-device", "isa-debugcon,chardev=nope"], 1, "nope"),
        (["-kernel", "GOOD", "-device", ""], 1, "."),
        (["-kernel", "GOOD", "-device", '{"driver":"isa-debug-exit"}'], 1, "JSON"),
        (["-device", "isa-debug-exot,help"], 1, "did you mean 'isa-debug-exit'"),
    ])


def test_streams(c):
    n = check_all(c, [
        (["-kernel", "GOOD", "-serial", "fil:x"], 1, "-serial: there is no backend 'fil:x'"),
        (["-kernel", "GOOD", "-serial", "chardev:nope"], 1, "no character device 'nope'"),
        (["-kernel", "GOOD", "-serial", "file:/no/such/dir/x"], 2, "cannot open '/no/such/dir/x': No such file"),
        (["-kernel", "GOOD", "-serial", "tcp:nonsense"], 1, "the form is tcp:HOST:PORT"),
        (["-kernel", "GOOD", "-serial", "tcp:127.0.0.1:99999"], 1, "0 to 65535"),
        (["-kernel", "GOOD", "-chardev", "stdio"], 1, "id= is missing"),
        (["-kernel", "GOOD", "-chardev", "null,id=a", "-chardev", "null,id=a"], 1, "already"),
        (["-kernel", "GOOD", "-chardev", "file,id=a"], 1, "needs path="),
        (["-kernel", "GOOD", "-serial", "stdio", "-monitor", "stdio"], 1, "stdio is already in use"),
        (["-kernel", "GOOD", "-chardev", "null,id=a", "-mon", "chardev=a,mode=control"], 1, "QMP.*not supported yet"),
        (["-kernel", "GOOD", "-daemonize", "-serial", "stdio"], 1, "-daemonize: .* no stdio"),
        (["-kernel", "GOOD", "-mon", "chardev=a"], 1, "no character device 'a'"),
        (["-kernel", "GOOD", "-chardev", "null,id=a", "-serial", "chardev:a", "-mon", "a"], 1, "in use|mux"),
        (["-kernel", "GOOD"] + ["-serial", "null"] * 5, 1, "4 serial ports"),
        (["-kernel", "GOOD", "-serial", "unix:" + "x" * 200 + ",server"], 1, "the path of a unix socket"),
        (["-kernel", "GOOD", "-qmp", "unix:x,server"], 1, "-qmp: known option, not supported yet"),
    ])
    return n


def test_busy_sockets(c):
    good = c.kernel("good", HALT)
    with socket.socket() as s, socket.socket(socket.AF_UNIX) as u:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        u.bind(c.path("sock"))
        u.listen(20)
        check(c, ["-kernel", good, "-serial", f"tcp:127.0.0.1:{port},server,nowait"], 2,
              f"cannot listen on 127.0.0.1:{port}: Address already in use; stop the process")
        check(c, ["-kernel", good, "-monitor", f"unix:{c.path('sock')},server=on,wait=off"], 2, "Address already in use")
    check(c, ["-kernel", good, "-serial", f"tcp:127.0.0.1:{port}"], 2, "Connection refused; start its server first")
    return 3


def test_caret(c):
    """The caret stands under the bad token."""
    r = c.run(["-kernel", c.kernel("good", HALT), "-smp", "4,coers=2"])
    lines = r.stderr.decode().split("\n")
    column = lines[2].index("^")
    assert lines[1][column:].startswith("coers"), lines
    assert lines[2].count("~") == 4, lines


def test_closed_outputs(c):
    """Help to a full disk is an error; closed descriptors never become somebody else's file."""
    with open("/dev/full", "wb") as full:
        r = c.run(["-h"], stdout=full)
    assert r.returncode == 2 and b"No space left" in r.stderr, r
    for which in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        r = subprocess.run(["sh", "-c", f'exec "$0" "$@" {which}', c.binary, "-kernel", "/no/such"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        assert r.returncode == 2, (which, r)


def test_every_option(c):
    """Each option that features list as needed is known, with and without argument, and none crashes."""
    names = """h help version machine M accel enable-kvm cpu smp m name uuid nodefaults no-user-config no-reboot no-shutdown S s gdb
        snapshot kernel initrd append bios L boot hda hdb hdc hdd cdrom fda fdb drive blockdev device global object numa net nic
        netdev fsdev virtfs chardev serial parallel monitor mon qmp echr display nographic vga vnc k usb audiodev rtc icount
        overcommit sandbox msg d D trace daemonize pidfile incoming loadvm action watchdog-action smbios fw_cfg tpmdev
        readconfig runas chroot mem-path mem-prealloc seed""".split()
    for name in names:
        for dashes in ("-", "--"):
            r = c.run([dashes + name, "\x01,=,,\x7f"], cwd=c.dir)
            err = r.stderr.decode()
            assert 0 <= r.returncode < 8, (name, r)
            assert "unknown option" not in err and "invalid option" not in err, (name, err)
            if r.returncode:
                one_message(err, False)
    return len(names)


main([f for name, f in sorted(globals().items()) if name.startswith("test_")])
