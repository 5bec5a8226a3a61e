"""What Pillow makes of images from strangers."""

import contextlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.pin.jobs import images
from services.pin.jobs.images import WIDTHS, NotAnImageError, look


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (1000, 500), mode: str = "RGB", **options: Any
) -> bytes:
    file = io.BytesIO()
    color: Any = {
        "RGB": (200, 30, 40),
        "RGBA": (200, 30, 40, 128),
        "L": 99,
        "P": 3,
        "CMYK": (9, 9, 9, 9),
    }.get(mode, 1)
    Image.new(mode, size, color).save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_each_width_comes_as_jpeg_and_webp() -> None:
    seen = look(picture())
    assert (seen.width, seen.height) == (1000, 500)
    assert {(each.width, each.suffix) for each in seen.thumbnails} == {
        (width, suffix) for width in WIDTHS for suffix in ("jpg", "webp")
    }
    for each in seen.thumbnails:
        assert opened(each.data).size == (each.width, each.width // 2)
        assert each.content_type == f"image/{'jpeg' if each.suffix == 'jpg' else 'webp'}"


def test_a_narrow_image_is_not_made_larger() -> None:
    seen = look(picture(size=(300, 90)))
    sizes = {each.width: opened(each.data).size for each in seen.thumbnails}
    assert sizes == {236: (236, 71), 474: (300, 90), 736: (300, 90)}


def test_the_color_is_what_most_of_it_has() -> None:
    image = Image.new("RGB", (100, 100), (10, 200, 30))
    image.paste((250, 0, 0), (0, 0, 100, 30))
    file = io.BytesIO()
    image.save(file, "PNG")
    assert look(file.getvalue()).color == "#0ac81e"


def test_a_photograph_is_turned_and_loses_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    exif[0x010F] = "a camera that tells"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # latitude
    seen = look(picture(exif=exif.tobytes()))
    assert (seen.width, seen.height) == (500, 1000)
    for each in seen.thumbnails:
        assert not opened(each.data).getexif()
        assert b"camera" not in each.data


def test_png_text_and_profiles_do_not_survive() -> None:
    from PIL import ImageCms
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Author", "somebody")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for each in look(picture("PNG", pnginfo=told, icc_profile=profile)).thumbnails:
        assert b"somebody" not in each.data
        assert "icc_profile" not in opened(each.data).info


def test_what_is_transparent_stays_so_where_it_can() -> None:
    thumbnails = {each.suffix: opened(each.data) for each in look(picture("PNG", mode="RGBA")).thumbnails}
    assert thumbnails["webp"].mode == "RGBA"
    assert thumbnails["jpg"].mode == "RGB"


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "L"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_kind_of_pixel_is_shown(kind: str, mode: str) -> None:
    assert len(look(picture(kind, (40, 30), mode)).thumbnails) == 6


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_moves_in_webp_and_stands_in_jpeg(kind: str) -> None:
    frames = [Image.new("RGB", (300, 200), (shade, 0, 0)) for shade in (0, 100, 200)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    thumbnails = {(each.width, each.suffix): opened(each.data) for each in look(file.getvalue()).thumbnails}
    assert getattr(thumbnails[236, "webp"], "n_frames", 1) == 3
    assert thumbnails[236, "webp"].size == (236, 157)
    assert getattr(thumbnails[236, "jpg"], "n_frames", 1) == 1


def test_of_an_animation_that_is_too_long_the_first_frame_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_ANIMATED_PIXELS", 300 * 200 * 2)
    frames = [Image.new("RGB", (300, 200), (shade, 0, 0)) for shade in (0, 100, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    thumbnails = look(file.getvalue()).thumbnails
    assert {getattr(opened(each.data), "n_frames", 1) for each in thumbnails} == {1}
    assert len(thumbnails) == 6


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that claims to be that large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (2**31 - 1, 1)])
def test_a_decompression_bomb_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(NotAnImageError):
        look(bomb(*size))


def test_a_very_tall_image_fits_into_webp() -> None:
    for each in look(picture("PNG", (20, 30_000))).thumbnails:
        assert opened(each.data).height <= 16_383


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"<svg onload='alert(1)'/>", b"%PDF-1.4", b"\xff\xd8\xff\xe0 not really", bomb(10, 10)],
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImageError):
        look(data)


def test_formats_that_pins_do_not_have_are_not_decoded() -> None:
    with pytest.raises(NotAnImageError):
        look(picture("TIFF"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.data())
def test_damaged_images_are_shown_or_refused(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(picture(kind, (60, 40)))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotAnImageError):
        look(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
