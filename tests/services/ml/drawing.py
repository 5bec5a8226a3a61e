"""Pictures that differ, drawn from a seed."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw


def picture(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """A sky, and some shapes before it."""
    random = np.random.default_rng(seed)
    drawn = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(drawn)
    top, bottom = random.integers(0, 256, 3), random.integers(0, 256, 3)
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=_colour(top + (bottom - top) * y / height))
    for _ in range(int(random.integers(3, 12))):
        x, y = int(random.integers(width)), int(random.integers(height))
        across, down = (int(size) for size in random.integers(15, 120, 2))
        colour = _colour(random.integers(0, 256, 3))
        box = [x - across // 2, y - down // 2, x + across // 2, y + down // 2]
        shape = random.integers(3)
        if shape == 0:
            draw.ellipse(box, fill=colour)
        elif shape == 1:
            draw.rectangle(box, fill=colour)
        else:
            draw.polygon([(x, y - down), (x - across, y + down), (x + across, y)], fill=colour)
    return drawn


def encoded(drawn: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    drawn.save(file, form, **options)
    return file.getvalue()


def shifted(drawn: Image.Image, red: int, green: int, blue: int) -> Image.Image:
    """The same picture in a slightly different light."""
    values = np.asarray(drawn).astype(int) + np.array([red, green, blue])
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def cropped(drawn: Image.Image, share: float) -> Image.Image:
    """Without a share of its left and top, and half as much of its right and bottom."""
    width, height = drawn.size
    box = (width * share, height * share, width * (1 - share / 2), height * (1 - share / 2))
    return drawn.crop(tuple(int(edge) for edge in box))


def _colour(values: Any) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
