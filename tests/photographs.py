"""Photographs as phones make them, and files that only pretend to be one."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

GPS = 0x8825
MAKER = "PhoneMaker 15"


def photo(width: int = 640, height: int = 480, kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A photograph with the place where it was taken, the phone that took it, and a remark; red above, blue below."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width, height // 2))
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = MAKER, orientation
    exif.get_ifd(GPS).update({1: "N", 2: (IFDRational(34), IFDRational(44), IFDRational(49)), 3: "E"})
    out = BytesIO()
    image.save(out, kind, exif=exif, **({"comment": b"secret remark"} if kind == "JPEG" else {}))
    return out.getvalue()


def bomb(side: int = 60_000) -> bytes:
    """A few kilobytes that say they are 3.6 thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
