"""Encoded pictures from people become small arrays for a model, or are refused with a reason.

What comes here was uploaded by strangers: nothing is decoded before its header was looked at.
"""

import io
import warnings
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
"""What is decoded; Pillow knows dozens of others, old and seldom used, which nobody need be able to reach."""
MAX_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
"""A picture that is 100 kB as PNG can have billions; 50 million pixels decode into 150 MB."""
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Exif orientation -> what puts it upright. Once the picture is a small square, that is cheap."""
_BACKGROUND: Final = (255, 255, 255)
"""Behind what is transparent: pages are white."""


class PictureError(ValueError):
    """The bytes are not a picture that can be embedded; the message says why and what would do."""


def pixels(encoded: bytes, size: int) -> NDArray[np.uint8]:
    """An array [3, size, size] of sRGB values 0..255: the whole picture, upright, squeezed into the square.

    The first frame of an animation counts. Raises PictureError.
    """
    if not encoded:
        raise PictureError("the image is empty: send the bytes of a JPEG, PNG, WebP or GIF file")
    if len(encoded) > MAX_BYTES:
        raise PictureError(f"the image has {len(encoded)} bytes, more than the {MAX_BYTES} that are taken")
    try:
        with warnings.catch_warnings():
            # Pillow only warns of the smaller bombs; our own bound is told with what would do.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as picture:
                return _squeezed(picture, size)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("the bytes are not a JPEG, PNG, WebP or GIF image") from None
    except Image.DecompressionBombError:
        raise PictureError(f"the image has more than the {MAX_PIXELS} pixels that are taken") from None
    except Exception as error:  # decoders of damaged files raise whatever they stumble over
        raise PictureError(f"the image is damaged: {type(error).__name__} while decoding it") from None


def _squeezed(picture: Image.Image, size: int) -> NDArray[np.uint8]:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"the image has {width} x {height} pixels, more than the {MAX_PIXELS} that are taken"
        )
    # A JPEG decoder that is told so leaves out the details that squeezing would remove.
    picture.draft("RGB", (2 * size, 2 * size))
    picture.load()
    small = _opaque(picture).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    upright = small.transpose(turn) if turn is not None else small
    return np.ascontiguousarray(np.asarray(upright, dtype=np.uint8).transpose(2, 0, 1))


def _opaque(picture: Image.Image) -> Image.Image:
    """As RGB: CMYK, palettes and greys converted, transparency over white."""
    if picture.mode.startswith("I;16") or picture.mode == "I":
        # Pillow would cut 16-bit greys at 255 rather than scale them.
        scaled = np.asarray(picture, dtype=np.uint32) // 257
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8), "L").convert("RGB")
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        opaque = Image.new("RGB", layered.size, _BACKGROUND)
        opaque.paste(layered, mask=layered.getchannel("A"))
        return opaque
    return picture if picture.mode == "RGB" else picture.convert("RGB")
