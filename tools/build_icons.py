"""Draw the icons of the pages as PNG, of the same cross on a square as `icon.svg`.

    python tools/build_icons.py [FOLDER]

The same drawing gives the same bytes. Sizes are those that browsers ask for when the pages are installed.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).resolve().parents[1] / "fhirserver" / "portal" / "static"
BLUE: Final = (0x0B, 0x4F, 0xA0)
UNITS: Final = 32
"""The side of the drawing, as in `icon.svg`."""
_ARM: Final = 9.0
_HALF: Final = 2.5
_CORNER: Final = 6.0


class Icon(NamedTuple):
    """`whole`: the square goes to the edges, for what cuts its own shape; `scale`: of the cross, which stays inside."""

    name: str
    side: int
    whole: bool = False
    scale: float = 1.0


ICONS: Final = (
    Icon("icon-192.png", 192),
    Icon("icon-512.png", 512),
    Icon("icon-maskable-512.png", 512, whole=True, scale=0.8),
    Icon("icon-180.png", 180, whole=True, scale=0.9),
)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for icon in ICONS:
        (folder / icon.name).write_bytes(drawn(icon))


def drawn(icon: Icon) -> bytes:
    """The PNG (RGBA, 8 bits) of an icon."""
    rows = b"".join(b"\0" + _row(icon, y) for y in range(icon.side))
    header = struct.pack(">IIBBBBB", icon.side, icon.side, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _row(icon: Icon, y: int) -> bytes:
    step = UNITS / icon.side
    pixels = bytearray()
    for x in range(icon.side):
        across, down = (x + 0.5) * step - UNITS / 2, (y + 0.5) * step - UNITS / 2
        square = 1.0 if icon.whole else _covered(_rounded(across, down), step)
        cross = _covered(_cross(across / icon.scale, down / icon.scale) * icon.scale, step)
        pixels += bytes(round(each + (255 - each) * cross) for each in BLUE)
        pixels.append(round(255 * square))
    return bytes(pixels)


def _rounded(x: float, y: float) -> float:
    """How far outside the square with round corners a point is; negative inside."""
    inner = UNITS / 2 - _CORNER
    across, down = max(abs(x) - inner, 0.0), max(abs(y) - inner, 0.0)
    return float((across**2 + down**2) ** 0.5 - _CORNER)


def _cross(x: float, y: float) -> float:
    """How far outside the cross, two lines with round ends, a point is."""
    upright = (x**2 + max(abs(y) - _ARM, 0.0) ** 2) ** 0.5
    lying = (y**2 + max(abs(x) - _ARM, 0.0) ** 2) ** 0.5
    return float(min(upright, lying) - _HALF)


def _covered(distance: float, step: float) -> float:
    """The share of a pixel that a shape covers, by how far outside it the pixel's middle is."""
    return min(1.0, max(0.0, 0.5 - distance / step))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
