"""What a model must do before it answers anybody: embed a few known inputs as its manifest says it does."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.ml.embedder import Embedder, EmbedderError, Prepared, Vectors

_SIDE: Final = 96
_SAME: Final = 0.99
"""Cosine: alone and in a batch, on CPU and on a GPU, the same input is about the same vector."""
_TEXTS: Final = ("a red wooden chair", "lemon cake", "mountains at dawn")


def run(embedder: Embedder, largest_batch: int) -> None:
    """Raises EmbedderError. Also warms it up: memory for the largest batch is taken, kernels are chosen."""
    images = [embedder.prepare_image(encoded) for encoded in _pictures()]
    _check("images", embedder, images, embedder.embed_images(images))
    for prepared, vector in zip(images, embedder.embed_images(images), strict=True):
        _same("images", embedder, vector, embedder.embed_images([prepared])[0])
    embedder.embed_images([images[0]] * largest_batch)
    if embedder.takes_texts:
        texts = [embedder.prepare_text(text) for text in _TEXTS]
        _check("texts", embedder, texts, embedder.embed_texts(texts))
        embedder.embed_texts([texts[0]] * largest_batch)


def _check(kind: str, embedder: Embedder, inputs: list[Prepared], vectors: Vectors) -> None:
    if vectors.shape != (len(inputs), embedder.dimensions):
        raise EmbedderError(
            f"self-test: {kind} became an array {list(vectors.shape)}, not [{len(inputs)}, {embedder.dimensions}]"
        )
    if not vectors.any(axis=1).all():
        raise EmbedderError(f"self-test: {kind} became vectors that are zero or no numbers")
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, 0)
    if likeness.max() > _SAME:
        raise EmbedderError(f"self-test: {kind} that have nothing in common became the same vector")


def _same(kind: str, embedder: Embedder, in_batch: Vectors, alone: Vectors) -> None:
    if float(in_batch @ alone) < _SAME:
        raise EmbedderError(
            f"self-test: {kind} have another vector in a batch than alone ({embedder.version})"
        )


def _pictures() -> list[bytes]:
    """A slope of red, stripes of green and a blue disc, as PNG."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    zero = np.zeros((_SIDE, _SIDE))
    disc = np.where((x - _SIDE / 2) ** 2 + (y - _SIDE / 2) ** 2 < (_SIDE / 3) ** 2, 230, 20)
    arrays = [
        np.stack([x * 2, zero + 30, zero], axis=-1),
        np.stack([zero + 20, np.where(y % 16 < 8, 220, 60), zero + 40], axis=-1),  # noqa: PLR2004 - stripes
        np.stack([zero + 200, zero + 200, disc], axis=-1),
    ]
    return [_png(array) for array in arrays]


def _png(array: NDArray[np.float64]) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(array.astype(np.uint8), "RGB").save(encoded, "PNG")
    return encoded.getvalue()
