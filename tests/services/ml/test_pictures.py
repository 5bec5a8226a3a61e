"""Uploads become pixels, or are refused with a reason."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.ml import pictures
from services.ml.pictures import PictureError, pixels
from tests.services.ml.drawing import encoded, picture

SIZE = 64


def mean(encoded_picture: bytes) -> list[int]:
    """Of red, green and blue."""
    return [round(float(each)) for each in pixels(encoded_picture, SIZE).mean(axis=(1, 2))]


def test_every_format_that_people_upload_gives_about_the_same_pixels() -> None:
    drawn = picture(1)
    exact = pixels(encoded(drawn), SIZE).astype(int)
    assert exact.shape == (3, SIZE, SIZE)
    for form in ("JPEG", "WEBP", "GIF"):
        other = pixels(encoded(drawn, form), SIZE).astype(int)
        assert np.abs(other - exact).mean() < 8, form


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1", "YCbCr"])
def test_colour_modes_become_rgb(mode: str) -> None:
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    grey = Image.new("RGB", (40, 30), (255, 255, 255)).convert(mode)
    assert mean(encoded(grey, form)) == [255, 255, 255]


def test_greys_of_16_bits_are_scaled_and_not_cut() -> None:
    middle = Image.fromarray(np.full((20, 20), 32_768, dtype=np.uint16))
    assert mean(encoded(middle)) == [127, 127, 127]


def test_what_is_transparent_is_white_as_pages_are() -> None:
    assert mean(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)))) == [255, 255, 255]
    half = mean(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 128))))
    assert half[0] == 255
    assert 120 <= half[1] <= 135


def test_a_transparent_palette_colour_is_white() -> None:
    paletted = Image.new("P", (20, 20), 0)
    paletted.putpalette([255, 0, 0] + [0] * 765)
    assert mean(encoded(paletted, "PNG", transparency=0)) == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_s_orientation_is_undone(orientation: int) -> None:
    """Exif says how the sensor's picture is turned; the same scene gives the same pixels."""
    upright = Image.new("RGB", (80, 80), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 40, 20))  # red in the top left corner, wider than high
    sensor = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    turned = upright if sensor is None else upright.transpose(sensor)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("PNG", "JPEG"):
        found = pixels(encoded(turned, form, exif=exif), SIZE).astype(int)
        assert np.abs(found - pixels(encoded(upright), SIZE).astype(int)).mean() < 6, form


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    for form in ("GIF", "WEBP", "PNG"):
        red, green, blue = mean(encoded(frames[0], form, save_all=True, append_images=frames[1:]))
        assert red > 230, form
        assert max(green, blue) < 20, form


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"", "is empty"),
        (b"hello, I am no picture", "not a JPEG, PNG, WebP or GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a JPEG, PNG, WebP or GIF"),
        (b"%PDF-1.7", "not a JPEG, PNG, WebP or GIF"),
        (encoded(Image.new("RGB", (9, 9)), "BMP"), "not a JPEG, PNG, WebP or GIF"),
        (encoded(Image.new("RGB", (9, 9)), "TIFF"), "not a JPEG, PNG, WebP or GIF"),
    ],
)
def test_what_is_no_picture_is_refused(given: bytes, told: str) -> None:
    with pytest.raises(PictureError, match=told):
        pixels(given, SIZE)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_half_a_file_is_refused(form: str) -> None:
    whole = encoded(picture(2), form)
    with pytest.raises(PictureError, match=r"damaged|not a JPEG"):
        pixels(whole[: len(whole) // 2], SIZE)


def png_of(width: int, height: int) -> bytes:
    """A header that announces a size, and a few bytes that would unpack into it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * min(height, 20_000)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(8_000, 8_000), (20_000, 20_000), (400_000, 400_000)])
def test_a_small_file_that_unpacks_into_gigabytes_is_refused_before_it_is_unpacked(
    width: int, height: int
) -> None:
    with pytest.raises(PictureError, match="pixels"):
        pixels(png_of(width, height), SIZE)


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 1_000)
    with pytest.raises(PictureError, match="bytes, more than the 1000"):
        pixels(bytes(1_001), SIZE)


def test_one_pixel_and_long_strips_are_pictures() -> None:
    for size in ((1, 1), (1, 3_000), (3_000, 1)):
        assert pixels(encoded(Image.new("RGB", size, "red")), SIZE).shape == (3, SIZE, SIZE)


@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]), st.integers(0, 2_000))
def test_whatever_comes_is_pixels_or_refused(noise: bytes, form: str, at: int) -> None:
    file = io.BytesIO(encoded(Image.new("RGB", (16, 16), "teal"), form))
    file.seek(at % (len(file.getvalue()) + 1))
    file.write(noise)
    with contextlib.suppress(PictureError):
        assert pixels(file.getvalue(), SIZE).shape == (3, SIZE, SIZE)
