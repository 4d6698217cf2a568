"""Image files → RGB pixels of 8 bits: the one place that says what deeper pixels mean. It names no suite and no model.

Pillow clips what is deeper than 8 bits: nearly every pixel of a 16-bit photograph would be white. 16-bit images are scaled,
and what has no known white (32-bit whole numbers, floats) is refused. Everything else is as `convert("RGB")` of Pillow gives it:
transparency is dropped, of an animation the first frame is taken, and the orientation tag is followed only where it is asked
for, because the published scripts of the benchmarks do the same. Called by suites, conditions, builds and endpoints.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SCALED_BY_PILLOW = ("PNG", "PPM")
"""Formats whose 32-bit whole numbers (mode I) are 16-bit ones that Pillow widened: white is 65535."""
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
"""Tags of TIFF."""


class UnreadableImage(Exception):
    """A file that is no whole image, or whose pixels cannot be shown in 8 bits; the message says what to do."""


def open_rgb(source: Path | IO[bytes], *, upright: bool = False) -> Image:
    """The image in RGB; `upright` turns it as its orientation tag says. A file that is not there is a FileNotFoundError."""
    from PIL import Image, ImageOps

    try:
        with Image.open(source) as image:
            refused = _no_known_white(image)
            if refused:
                raise UnreadableImage(refused)
            turned = ImageOps.exif_transpose(image) if upright else image
            return _eight_bits(turned, inverted=_white_is_zero(image)) if _is_deep(image) else _converted(turned)
    except FileNotFoundError:
        raise
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise UnreadableImage(f"{error}. Is it cut off? Get it again") from None


def _is_deep(image: Image) -> bool:
    return image.mode == "I" or image.mode.startswith("I;16")


def _no_known_white(image: Image) -> str | None:
    """Why the pixels of an image cannot be brought to 8 bits; None: they can."""
    bits = _tag(image, BITS_PER_SAMPLE, 16)
    if image.mode == "F":
        what = "floats"
    elif image.mode == "I" and image.format not in SCALED_BY_PILLOW:
        what = "whole numbers of 32 bits, or signed ones"
    elif image.mode.startswith("I;16") and bits != 16:
        what = f"whole numbers of {bits} bits"
    else:
        return None
    return (
        f"its pixels are {what} (mode {image.mode} of a {image.format} file), and the file does not say which of them is white. "
        "Scale it to 8 or 16 bits and save it as PNG"
    )


def _tag(image: Image, number: int, default: int) -> int:
    """A tag of a TIFF file; other files have none."""
    found = getattr(image, "tag_v2", {}).get(number, default)
    return int(found[0] if isinstance(found, tuple) else found)


def _white_is_zero(image: Image) -> bool:
    return _tag(image, PHOTOMETRIC, 1) == 0


def _eight_bits(image: Image, *, inverted: bool) -> Image:
    """16-bit brightness, 0 to 65535, as the nearest of 256 steps: 65535 = 255 · 257."""
    from PIL import Image

    deep = np.asarray(image).astype(np.int64)
    steps = ((deep + 128) // 257).astype(np.uint8)
    return Image.fromarray(255 - steps if inverted else steps).convert("RGB")


def _converted(image: Image) -> Image:
    if isinstance(image.info.get("transparency"), bytes):
        image = image.convert("RGBA")  # the same colours, without Pillow's warning that they come with transparency
    return image.convert("RGB")
