"""What a model must do to be served, and the models that are ONNX graphs.

`Embedder` is all that the server knows: something on PyTorch or a remote endpoint takes its place by having these
methods. Preparing is apart from embedding, because the first goes picture by picture and the second in batches.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.ml import pictures, texts
from services.ml.manifest import ImageInput, Manifest, TextInput

Device = Literal["auto", "cpu", "cuda"]
Prepared = NDArray[Any]
"""One picture or text as the model's graph takes it, without the batch's axis."""
Vectors = NDArray[np.float32]
"""[N, dimensions]; rows have unit length."""


class EmbedderError(Exception):
    """The model cannot be used; the message says why."""


class Embedder(Protocol):
    """A model. Methods are called in several threads at once."""

    @property
    def version(self) -> str:
        """As `model_version` in answers and events: vectors of two versions do not compare."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def joint(self) -> bool:
        """Whether texts compare with images."""
        ...

    @property
    def takes_texts(self) -> bool:
        """Whether there is anything but images."""
        ...

    def prepare_image(self, encoded: bytes) -> Prepared:
        """Raises pictures.PictureError."""
        ...

    def prepare_text(self, text: str) -> Prepared:
        """Raises texts.TextError."""
        ...

    def embed_images(self, batch: Sequence[Prepared]) -> Vectors:
        """Rows in the batch's order; a row of zeros where the model makes nothing of the input."""
        ...

    def embed_texts(self, batch: Sequence[Prepared]) -> Vectors:
        """The same of texts."""
        ...


class OnnxEmbedder:
    """The graphs that a manifest names, from files that were checked."""

    def __init__(self, directory: Path, manifest: Manifest, *, threads: int, device: Device = "auto") -> None:
        """Load. Raises EmbedderError.

        Args:
            directory: has the manifest's files.
            manifest: what they are.
            threads: that one batch may use.
            device: `auto` is CUDA where this ONNX Runtime has it.
        """
        self._manifest = manifest
        self._images = _session(directory / manifest.image.file, threads, device)
        self._texts = _session(directory / manifest.text.file, threads, device) if manifest.text else None

    @property
    def version(self) -> str:
        """As `model_version` in answers."""
        return self._manifest.label

    @property
    def dimensions(self) -> int:
        """Of its manifest."""
        return self._manifest.dimensions

    @property
    def joint(self) -> bool:
        """As its manifest says."""
        return self._manifest.joint

    @property
    def takes_texts(self) -> bool:
        """Whether it has a graph for texts."""
        return self._texts is not None

    def prepare_image(self, encoded: bytes) -> Prepared:
        """Squeezed and scaled as the manifest says. Raises pictures.PictureError."""
        return _image_input(pictures.pixels(encoded, self._manifest.image.size), self._manifest.image)

    def prepare_text(self, text: str) -> Prepared:
        """As features or as it is. Raises texts.TextError; EmbedderError when it takes no texts."""
        if self._manifest.text is None:
            raise EmbedderError(f"model {self.version} takes no texts")
        return _text_input(texts.checked(text), self._manifest.text)

    def embed_images(self, batch: Sequence[Prepared]) -> Vectors:
        """Run the graph of images."""
        return self._run(self._images, batch)

    def embed_texts(self, batch: Sequence[Prepared]) -> Vectors:
        """Run the graph of texts."""
        if self._texts is None:
            raise EmbedderError(f"model {self.version} takes no texts")
        return self._run(self._texts, batch)

    def _run(self, session: onnxruntime.InferenceSession, batch: Sequence[Prepared]) -> Vectors:
        vectors = np.asarray(session.run(None, {session.get_inputs()[0].name: np.stack(batch)})[0])
        if vectors.shape != (len(batch), self.dimensions):
            raise EmbedderError(
                f"model {self.version} made an array {list(vectors.shape)} of {len(batch)} inputs; its manifest "
                f"says [{len(batch)}, {self.dimensions}]"
            )
        return unit(vectors)


def unit(vectors: NDArray[Any]) -> Vectors:
    """Rows at unit length; zeros for rows that have none."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    usable = np.isfinite(lengths) & (lengths > 1e-12)  # noqa: PLR2004 - below is rounding
    return np.where(usable, exact / np.where(usable, lengths, 1.0), 0.0).astype(np.float32)


def _image_input(pixels: NDArray[np.uint8], expected: ImageInput) -> Prepared:
    if expected.type == "uint8":
        return pixels
    mean, deviation = (
        np.array(each, np.float32)[:, None, None] for each in (expected.mean, expected.deviation)
    )
    return ((pixels.astype(np.float32) / 255 - mean) / deviation).astype(np.float32)


def _text_input(text: str, expected: TextInput) -> Prepared:
    if expected.type == "string":
        return np.array(text, dtype=object)
    return texts.hashed_features(text, expected.features)


def _session(file: Path, threads: int, device: Device) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait take the CPU from those who decode pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(file, options, providers=providers(device))
    except EmbedderError:
        raise
    except Exception as error:  # ONNX Runtime's own classes have no common base
        raise EmbedderError(
            f"ONNX Runtime cannot load {file.name}: {type(error).__name__}: {error}"
        ) from error
    if len(session.get_inputs()) != 1:
        raise EmbedderError(f"{file.name} has {len(session.get_inputs())} inputs; a graph here has one")
    return session


_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"


def providers(device: Device) -> list[str]:
    """ONNX Runtime's providers for a device, best first. Raises EmbedderError when it is not there."""
    has_cuda = _CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise EmbedderError(
            "INFERENCE_DEVICE is cuda, but this ONNX Runtime has no CUDA: install onnxruntime-gpu"
        )
    return [_CUDA, _CPU] if has_cuda and device != "cpu" else [_CPU]
