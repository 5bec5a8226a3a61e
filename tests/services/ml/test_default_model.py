"""The default model: what is alike is near, what differs is far, and it is the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from infra.environment import EmbeddingModel
from services.ml import default_model, self_test, texts
from services.ml.embedder import OnnxEmbedder
from services.ml.manifest import Manifest
from tests.services.ml.drawing import cropped, encoded, picture, shifted

COUNT = 150


def test_it_is_the_one_that_the_platform_declares(embedder: OnnxEmbedder) -> None:
    """Search compares no vectors of another."""
    declared = EmbeddingModel()
    assert (embedder.version, embedder.dimensions) == (declared.identifier, declared.dimension)


def vectors(embedder: OnnxEmbedder, files: list[bytes]) -> Any:
    return embedder.embed_images([embedder.prepare_image(file) for file in files])


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    return [picture(seed) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def originals(embedder: OnnxEmbedder, drawn: list[Image.Image]) -> Any:
    return vectors(embedder, [encoded(each) for each in drawn])


def test_vectors_have_unit_length(originals: Any) -> None:
    assert originals.shape == (COUNT, default_model.DIMENSIONS)
    assert np.linalg.norm(originals, axis=1) == pytest.approx(1, abs=1e-5)


def test_different_pictures_are_far(originals: Any) -> None:
    likeness = originals @ originals.T
    others = likeness[~np.eye(COUNT, dtype=bool)]
    assert others.mean() < 0.3
    assert np.percentile(others, 95) < 0.7


VARIANTS: dict[str, tuple[Callable[[Image.Image], bytes], float]] = {
    "JPEG again": (lambda each: encoded(each, "JPEG", quality=40), 0.98),
    "a thumbnail": (lambda each: encoded(each.resize((107, 80)), "WEBP", quality=60), 0.98),
    "cropped by an eighth": (lambda each: encoded(cropped(each, 0.08)), 0.85),
    "in another light": (lambda each: encoded(shifted(each, 12, -8, 6)), 0.8),
    "brighter": (lambda each: encoded(ImageEnhance.Brightness(each).enhance(1.15)), 0.85),
    "blurred": (lambda each: encoded(each.filter(ImageFilter.GaussianBlur(2))), 0.98),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_picture_is_found_again(
    name: str, embedder: OnnxEmbedder, drawn: list[Image.Image], originals: Any
) -> None:
    variant, near = VARIANTS[name]
    changed = vectors(embedder, [variant(each) for each in drawn])
    likeness = changed @ originals.T
    own = np.diagonal(likeness)
    assert own.min() > near
    others = np.where(np.eye(COUNT, dtype=bool), -1, likeness).max(axis=1)
    assert (own > others).mean() > 0.98, "it is nearer to its original than to any other picture"


def test_plain_colours_are_told_apart(embedder: OnnxEmbedder) -> None:
    names = ["black", "white", "red", "lime", "blue", "yellow", "gray"]
    plain = vectors(embedder, [encoded(Image.new("RGB", (50, 50), name)) for name in names])
    likeness = plain @ plain.T - np.eye(len(names))
    assert likeness.max() < 0.9


def text_vectors(embedder: OnnxEmbedder, *words: str) -> Any:
    return embedder.embed_texts([embedder.prepare_text(text) for text in words])


@pytest.mark.parametrize(
    ("near", "text", "far"),
    [
        ("red leather sofa", "Leather SOFA, red", "lemon cake"),
        ("red leather sofa", "red leather sofas", "blue leather gloves"),
        ("recipe for lemon cake", "lemon cakes recipe", "recipe for disaster"),
        ("Küche weiß", "küche weiss", "Garten grün"),
        ("東京の夜景", "東京の夜", "パリの朝"),
    ],
)
def test_texts_that_share_words_are_nearer(embedder: OnnxEmbedder, near: str, text: str, far: str) -> None:
    one, other, third = text_vectors(embedder, near, text, far)
    assert one @ other > one @ third + 0.2


def test_texts_without_a_word_are_texts(embedder: OnnxEmbedder) -> None:
    made = text_vectors(embedder, "🎉🎉", "...", "?!")
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "told"), [("", "empty"), ("  \n", "empty"), ("x" * (texts.MAX_CHARACTERS + 1), "characters")]
)
def test_texts_that_are_refused(embedder: OnnxEmbedder, given: str, told: str) -> None:
    with pytest.raises(texts.TextError, match=told):
        embedder.prepare_text(given)


def test_it_is_written_the_same_every_time(tmp_path: Path, default_directory: Path) -> None:
    default_model.write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in default_directory.iterdir()
    }


def test_it_does_not_claim_that_texts_compare_with_images(default_directory: Path) -> None:
    manifest = Manifest.parse((default_directory / "manifest.json").read_bytes())
    assert not manifest.joint
    assert manifest.dimensions == 128


def test_it_passes_the_test_that_every_model_must(embedder: OnnxEmbedder) -> None:
    self_test.run(embedder, largest_batch=8)
