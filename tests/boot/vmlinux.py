"""Take the ELF image out of a bzImage (Linux x86 boot protocol 2.08: payload_offset and payload_length)."""
import bz2
import gzip
import lzma
import struct
import subprocess


class Unavailable(Exception):
    """Why this kernel cannot be unpacked here."""


def unpack(payload):
    if payload.startswith(b"\x7fELF"):
        return payload
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return gzip.decompress(payload)
    if payload.startswith(b"BZh"):
        return bz2.decompress(payload)
    for magic, tool in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x02\x21\x4c\x18", "lz4"), (b"\x5d\x00\x00", "unlzma")):
        if payload.startswith(magic):
            try:
                r = subprocess.run([tool, "-d", "-c"], input=payload, capture_output=True)
            except FileNotFoundError as e:
                raise Unavailable(f"this kernel is compressed by {tool}, which is not here") from e
            if r.stdout.startswith(b"\x7fELF"):  # what follows the stream makes the tool fail at its end
                return r.stdout
    raise Unavailable("a kernel in no known compression")


def extract(bzimage, vmlinux):
    with open(bzimage, "rb") as f:
        data = f.read()
    if data[0x202:0x206] != b"HdrS" or struct.unpack_from("<H", data, 0x206)[0] < 0x208:
        raise Unavailable("not a bzImage of boot protocol 2.08")
    setup = ((data[0x1f1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", data, 0x248)
    image = unpack(data[setup + offset:setup + offset + length])
    with open(vmlinux, "wb") as f:
        f.write(image)
