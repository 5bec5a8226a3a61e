"""Smaller copies of an image, its size and its color. Pure functions over bytes that nobody vouches for.

Pillow decodes only the four formats that uploads may have, and never more pixels than `MAX_PIXELS`: a small file may
claim to be a huge image (a decompression bomb). What is written has no metadata: a photograph's EXIF tells where it
was taken.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

WIDTHS: Final = (236, 474, 736)
"""Pixels, of a grid's columns on small, large and dense screens. A narrower image is not made larger."""
MAX_PIXELS: Final = 50_000_000
"""As many as the ml service decodes: what has thumbnails can be found by its picture too."""
MAX_ANIMATED_PIXELS: Final = 128_000_000
"""Of all frames together; of a larger animation, the first frame is shown."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_MAX_SIDE: Final = 16_383
"""WebP's."""
_QUALITY: Final = 82
_COLORS: Final = 8
_SAMPLE: Final = (64, 64)


class NotAnImageError(Exception):
    """The bytes are no image that is shown here; trying again does not help."""


@dataclass(frozen=True)
class Thumbnail:
    """One smaller copy."""

    width: int
    """One of `WIDTHS`: what it is for. Of a narrower image, more than it has."""
    suffix: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Seen:
    """What an image is."""

    width: int
    """Pixels, as a person sees it: turned as its EXIF says."""
    height: int
    color: str
    """#rrggbb, the most frequent."""
    thumbnails: tuple[Thumbnail, ...]


def look(data: bytes) -> Seen:
    """Decode an image and make its smaller copies. Raises NotAnImageError."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            first = ImageOps.exif_transpose(_upright_source(image))
            width, height = first.size
            still = _in_srgb(first)
            animated = _is_animated(image)
            copies = [*_stills(still, webp=not animated), *(_animations(image) if animated else ())]
            return Seen(width, height, _color(still), tuple(copies))
    except NotAnImageError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise NotAnImageError(str(error).partition(" <")[0]) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        OverflowError,
    ) as error:
        # What Pillow's decoders raise for bytes that are broken further on.
        raise NotAnImageError(f"it cannot be decoded: {type(error).__name__}") from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise NotAnImageError(f"it has {width} x {height} pixels; at most {MAX_PIXELS} are decoded")


def _upright_source(image: Image.Image) -> Image.Image:
    image.seek(0)
    image.load()
    return image.copy() if image.format == "GIF" else image


def _is_animated(image: Image.Image) -> bool:
    frames = getattr(image, "n_frames", 1)
    return frames > 1 and frames * image.width * image.height <= MAX_ANIMATED_PIXELS


def _in_srgb(image: Image.Image) -> Image.Image:
    """RGB or RGBA in the colors that a viewer assumes when there is no profile."""
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile is no profile
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:
        image = image.point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if has_alpha else "RGB")


def _sizes(size: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int]]]:
    width, height = size
    for wanted in WIDTHS:
        scale = min(1.0, wanted / width, _MAX_SIDE / height)
        yield wanted, (max(1, round(width * scale)), max(1, round(height * scale)))


def _stills(image: Image.Image, *, webp: bool) -> Iterator[Thumbnail]:
    for width, size in _sizes(image.size):
        smaller = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
        if webp:
            yield Thumbnail(width, "webp", "image/webp", _saved(smaller, "WEBP"))
        if smaller.mode == "RGBA":
            opaque = Image.new("RGB", smaller.size, "white")
            opaque.paste(smaller, mask=smaller.getchannel("A"))
            smaller = opaque
        yield Thumbnail(width, "jpg", "image/jpeg", _saved(smaller, "JPEG", progressive=True, optimize=True))


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.info.clear()  # Pillow would write what it finds there
    image.save(file, kind, quality=_QUALITY, **options)
    return file.getvalue()


def _animations(image: Image.Image) -> Iterator[Thumbnail]:
    for width, size in _sizes(image.size):
        frames: list[Image.Image] = []
        durations: list[int] = []
        for frame in ImageSequence.Iterator(image):
            durations.append(max(20, int(frame.info.get("duration", 100))))
            frames.append(frame.convert("RGBA").resize(size, Image.Resampling.BILINEAR))
        more = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0, "method": 0}
        yield Thumbnail(width, "webp", "image/webp", _saved(frames[0], "WEBP", **more))


def _color(image: Image.Image) -> str:
    sample = image.convert("RGB").resize(_SAMPLE, Image.Resampling.BOX)
    counted = sample.quantize(_COLORS).convert("RGB").getcolors(_SAMPLE[0] * _SAMPLE[1]) or []
    _, color = max(counted, key=lambda each: each[0])
    return "#{:02x}{:02x}{:02x}".format(*color) if isinstance(color, tuple) else "#000000"
