"""Debian's 32-bit kernels and busybox, without touching the packages of the system: apt with folders of its own."""
import glob
import os
import re
import shutil
import subprocess
import tarfile


class Unavailable(Exception):
    """Why the packages cannot be had here."""


def apt_options(folder):
    """Package lists, cache and an empty status file in `folder`; the sources and keys are the system's."""
    for sub in ("lists/partial", "cache/archives/partial", "log"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    settings = {
        "APT::Architecture": "i386", "APT::Architectures": "i386", "APT::Sandbox::User": "root",
        "Dir::State": folder, "Dir::State::lists": os.path.join(folder, "lists"), "Dir::State::status": "/dev/null",
        "Dir::Cache": os.path.join(folder, "cache"), "Dir::Log": os.path.join(folder, "log"),
        "Acquire::Languages": "none", "Acquire::Retries": "2", "Acquire::http::Timeout": "30",
    }
    return [f"-o{key}={value}" for key, value in settings.items()]


def run(argv, cwd=None):
    try:
        r = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as e:
        raise Unavailable(f"no {argv[0]} here") from e
    except subprocess.TimeoutExpired as e:
        raise Unavailable(f"{argv[0]} took more than 600 s") from e
    if r.returncode != 0:
        why = (r.stderr.strip() or r.stdout.strip() or f"code {r.returncode}").splitlines()[-1]
        raise Unavailable(f"{argv[0]} failed: {why}")
    return r.stdout


def extract(deb, member, target):
    """The one regular file of a package whose path matches; the rest of a kernel's 400 MB is not unpacked."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        with tarfile.open(fileobj=p.stdout, mode="r|") as tar:
            for entry in tar:
                if entry.isreg() and re.fullmatch(member, entry.name):
                    with open(target + ".new", "wb") as out:
                        shutil.copyfileobj(tar.extractfile(entry), out)
                    os.replace(target + ".new", target)
                    p.kill()
                    return
    raise Unavailable(f"{os.path.basename(deb)} has no {member}")


def update(apt, options):
    """Sources without an i386 section fail; what matters is whether the packages are found afterwards."""
    print("lists of packages for i386", flush=True)
    try:
        run(["apt-get", *options, "-q", "update"])
    except Unavailable as e:
        print(e, flush=True)
        if not glob.glob(os.path.join(apt, "lists", "*_Packages*")):
            raise


def fetch(folder, flavour):
    """(kernel, busybox) as paths of files kept in `folder`; flavour is 686 or 686-pae."""
    kernel, busybox = os.path.join(folder, "vmlinuz-" + flavour), os.path.join(folder, "busybox")
    if os.path.exists(kernel) and os.path.exists(busybox):
        return kernel, busybox
    apt = os.path.join(folder, "apt")
    options = apt_options(apt)
    meta = "linux-image-" + flavour
    update(apt, options)
    depends = run(["apt-cache", *options, "depends", meta])
    image = re.search(r"Depends: (linux-image-\S+)", depends)
    if not image:
        raise Unavailable(f"{meta} depends on no kernel: {depends!r}")
    for package, member, target in ((image.group(1), r"\./boot/vmlinuz-.*", kernel),
                                    ("busybox-static", r"\./(usr/)?bin/busybox", busybox)):
        if os.path.exists(target):
            continue
        print(f"download of {package}:i386", flush=True)
        run(["apt-get", *options, "-q", "download", package], cwd=apt)
        debs = glob.glob(os.path.join(apt, package + "_*.deb"))
        if len(debs) != 1:
            raise Unavailable(f"apt-get left {len(debs)} files of {package}")
        extract(debs[0], member, target)
        os.unlink(debs[0])
    os.chmod(busybox, 0o755)
    return kernel, busybox
