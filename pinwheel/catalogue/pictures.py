"""Pictures that differ: each is drawn of its theme's colours in one of several ways, from its number alone.

They stand for photographs: two of one theme look alike, two of different themes do not, none is the same.
"""

import io
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pinwheel.catalogue.vocabulary import THEMES, Colour

WIDTH: Final = 236
HEIGHTS: Final = (236, 295, 354)
"""In pixels; pins are as wide as their column and differ in height."""
_QUALITY: Final = 80

Field = NDArray[np.float32]
"""Height by width; 0 to 1: which colour a pixel has."""


def picture(theme: int, number: int, *, seed: int = 0) -> bytes:
    """The JPEG of a pin: its theme is an index into THEMES."""
    random = np.random.default_rng((seed, theme, number))
    height = int(random.choice(HEIGHTS))
    y, x = np.mgrid[0:height, 0:WIDTH].astype(np.float32) / WIDTH
    draw = _DRAWINGS[int(random.integers(len(_DRAWINGS)))]
    field = draw(random, x, y)
    grain = random.normal(0, 0.03, field.shape).astype(np.float32)
    pixels = _coloured(np.clip(field + grain, 0, 1), THEMES[theme].colours, random)
    encoded = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _coloured(
    field: Field, colours: tuple[Colour, Colour, Colour], random: np.random.Generator
) -> NDArray[np.uint8]:
    """The field as a way through the three colours, each a little off."""
    palette = np.array(colours, np.float32) + random.normal(0, 10, (3, 3)).astype(np.float32)
    place = field[..., None] * 2
    lower = palette[0] + (palette[1] - palette[0]) * np.clip(place, 0, 1)
    upper = (palette[2] - palette[1]) * np.clip(place - 1, 0, 1)
    return np.clip(lower + upper, 0, 255).astype(np.uint8)


def _stripes(random: np.random.Generator, x: Field, y: Field) -> Field:
    angle, count = random.uniform(0, np.pi), random.uniform(3, 14)
    along = x * np.cos(angle) + y * np.sin(angle)
    return ((along * count) % 1).astype(np.float32)


def _waves(random: np.random.Generator, x: Field, y: Field) -> Field:
    bend, count = random.uniform(0.02, 0.2), random.uniform(4, 12)
    shift = bend * np.sin(x * random.uniform(4, 20) + random.uniform(0, 6))
    return (0.5 + 0.5 * np.sin((y + shift) * count * 2)).astype(np.float32)


def _discs(random: np.random.Generator, x: Field, y: Field) -> Field:
    field = np.full(x.shape, random.uniform(0, 0.3), np.float32)
    for _ in range(int(random.integers(3, 12))):
        centre = random.uniform(0, 1), random.uniform(0, float(y.max()))
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < random.uniform(0.05, 0.3) ** 2
        field[inside] = random.uniform(0, 1)
    return field


def _horizon(random: np.random.Generator, x: Field, y: Field) -> Field:
    line = random.uniform(0.3, 0.8) * float(y.max())
    ridge = sum(
        random.uniform(0.01, 0.1) * np.sin(x * random.uniform(2, 25) + random.uniform(0, 6)) for _ in range(3)
    )
    sky = y / max(line, 0.1) * 0.5
    return np.where(y < line + ridge, sky, 0.6 + 0.4 * y / float(y.max())).astype(np.float32)


def _tiles(random: np.random.Generator, x: Field, y: Field) -> Field:
    count = int(random.integers(3, 9))
    shades = random.uniform(0, 1, (count * 2, count)).astype(np.float32)
    rows = np.minimum((y * count).astype(int), count * 2 - 1)
    columns = np.minimum((x * count).astype(int), count - 1)
    return shades[rows, columns]


_DRAWINGS: Final[tuple[Callable[[np.random.Generator, Field, Field], Field], ...]] = (
    _stripes, _waves, _discs, _horizon, _tiles,
)  # fmt: skip
