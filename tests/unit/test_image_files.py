"""Every image file becomes 8-bit RGB by scaling or is refused; nothing is clipped."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmplat.errors import ConfigError
from mmplat.image_files import UnreadableImage, open_rgb

RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
"""0, 257, …, 65535: exactly the 256 steps of 8 bits."""


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return io.BytesIO(buffer.getvalue())


def tiff(values, bits, sample_format, photometric=1):
    """An uncompressed one-channel TIFF with the tags that matter here."""
    data = values.tobytes()
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8 + 2 + 12 * 10 + 4),
            (277, 1), (278, height), (279, len(data)), (339, sample_format)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return io.BytesIO(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + data)


def colour_png_of_16_bits(values):
    """A 16-bit RGB PNG, which Pillow cannot write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_16_bit_images_are_scaled_and_not_clipped(form):
    pixels = np.asarray(open_rgb(saved(Image.fromarray(RAMP), form)))
    assert np.array_equal(pixels, np.repeat((RAMP // 257).astype(np.uint8)[..., None], 3, axis=2))


def test_16_bit_brightness_goes_to_the_nearest_of_256_steps():
    values = np.array([[0, 128, 129, 32767, 32768, 65535]], np.uint16)
    assert np.asarray(open_rgb(saved(Image.fromarray(values), "PNG")))[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255]


def test_16_bit_colours_are_scaled():
    colours = np.stack([RAMP, RAMP.T, RAMP[::-1]], axis=-1)
    assert np.array_equal(np.asarray(open_rgb(colour_png_of_16_bits(colours))), (colours // 257).astype(np.uint8))


def test_a_16_bit_tiff_whose_white_is_zero_is_not_shown_inverted():
    pixels = np.asarray(open_rgb(tiff(RAMP, 16, 1, photometric=0)))
    assert np.array_equal(pixels[..., 0], 255 - RAMP // 257)


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (lambda: tiff(np.ones((4, 4), np.float32), 32, 3), r"floats \(mode F of a TIFF file\).*8 or 16 bits"),
        (lambda: tiff(np.ones((4, 4), np.int32), 32, 2), r"32 bits, or signed ones \(mode I of a TIFF file\)"),
        (lambda: tiff(np.ones((4, 4), np.int16), 16, 2), r"signed ones \(mode I of a TIFF file\)"),
        (lambda: tiff(np.zeros((4, 3), np.uint16), 12, 1), r"whole numbers of 12 bits"),
        (lambda: io.BytesIO(saved(Image.new("RGB", (40, 40)), "PNG").getvalue()[:60]), "Is it cut off"),
        (lambda: io.BytesIO(b"no image"), "Is it cut off"),
    ],
    ids=["float", "int32", "int16", "12-bit", "cut", "text"],
)
def test_what_8_bits_cannot_show_is_refused_with_its_mode_and_a_way_out(image, what):
    with pytest.raises(UnreadableImage, match=what):
        open_rgb(image())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_ordinary_images_keep_the_pixels_that_name_them(mode):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).convert(mode)
    form = "TIFF" if mode == "CMYK" else "PNG"
    with Image.open(saved(image, form)) as again:
        assert np.array_equal(np.asarray(open_rgb(saved(image, form))), np.asarray(again.convert("RGB")))


def test_a_palette_with_transparency_warns_of_nothing():
    image = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).convert("P")
    pixels = np.asarray(open_rgb(saved(image, "PNG", transparency=bytes(range(256)))))
    assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_only_builds_turn_an_image_as_its_orientation_tag_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = saved(Image.new("RGB", (8, 4)), "PNG", exif=exif)
    assert open_rgb(io.BytesIO(file.getvalue())).size == (8, 4)
    assert open_rgb(file, upright=True).size == (4, 8)


def test_an_upright_16_bit_image_is_scaled_too():
    assert np.asarray(open_rgb(saved(Image.fromarray(RAMP), "PNG"), upright=True)).max() == 255


def test_every_way_into_mmplat_opens_images_here(tmp_path):
    """Suites, conditions, builds and prompts of endpoints refuse the same file."""
    from mmplat.building.images import opened
    from mmplat.conditions.pictures import _opened
    from mmplat.errors import ArtifactError
    from mmplat.models.endpoint.requests import shown_by
    from mmplat.records import Prompt
    from mmplat.suites._files import _open

    path = tmp_path / "float.tiff"
    path.write_bytes(tiff(np.ones((4, 4), np.float32), 32, 3).getvalue())
    for kind, read in (
        (ConfigError, lambda: _open(path.read_bytes(), "row 1")),
        (ConfigError, lambda: _opened(path)),
        (UnreadableImage, lambda: opened(path)),
        (ArtifactError, lambda: shown_by(Prompt("", image=path))),
    ):
        with pytest.raises(kind, match="mode F of a TIFF file"):
            read()
