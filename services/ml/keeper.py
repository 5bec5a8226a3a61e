"""Which model answers: loaded from the registry, and replaced while the service runs.

A new version is downloaded, checked, loaded and tried beside the old one; only then does it take its place, and
what has begun with the old one ends with it. A version that fails any of this is refused and told, and the old
one goes on.
"""

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.logs import logger
from services.ml import default_model, metrics, self_test
from services.ml.batching import MicroBatcher
from services.ml.embedder import Embedder, EmbedderError, Prepared
from services.ml.manifest import Manifest, ManifestError
from services.ml.registry import ModelRegistry, Pointer, RegistryError

_log: Final = logger(__name__)
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Loading:
    """How models are run."""

    build: Callable[[Path, Manifest], Embedder]
    """Makes a model of its files. Raises EmbedderError."""
    largest_batch: int
    batch_wait_seconds: float
    scratch: Path
    """Where files of models are while they are loaded."""


class Serving:
    """A model in place, with the batchers that feed it."""

    def __init__(self, embedder: Embedder, loading: Loading) -> None:
        self.embedder: Final = embedder
        self.images = MicroBatcher[Prepared, Vector](
            "images",
            lambda batch: list(embedder.embed_images(batch)),
            largest=loading.largest_batch,
            wait_seconds=loading.batch_wait_seconds,
        )
        self.texts = MicroBatcher[Prepared, Vector](
            "texts",
            lambda batch: list(embedder.embed_texts(batch)),
            largest=loading.largest_batch,
            wait_seconds=loading.batch_wait_seconds,
        )


class ModelKeeper:
    """Keeps the current model in place.

    Args:
        registry: None serves the default embedder.
        poll_seconds: between looks at what is current.
    """

    def __init__(self, registry: ModelRegistry | None, loading: Loading, *, poll_seconds: float) -> None:
        self._registry = registry
        self._loading = loading
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-keeper", daemon=True)
        self._serving: Serving | None = None
        self._pointer: Pointer | None = None
        self._refused: Pointer | None = None
        self._problem = "no model is loaded yet"

    @property
    def serving(self) -> Serving:
        """The model that answers. Raises EmbedderError while there is none."""
        if self._serving is None:
            raise EmbedderError(self._problem)
        return self._serving

    def unready(self) -> str | None:
        """Why nothing can be embedded; None when it can."""
        return None if self._serving else self._problem

    def start(self) -> None:
        """Look for what is current, now and then again and again, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer; return when a model that is being loaded is."""
        self._stopping.set()
        self._thread.join()

    @property
    def watching(self) -> bool:
        """Whether its thread lives, or has no more to do."""
        return self._thread.is_alive() or (self._registry is None and self._serving is not None)

    def look(self) -> None:
        """Put in place what is current, if it is not there and was not refused before. Never raises for it."""
        pointer: Pointer | None = None
        try:
            if self._registry is None:
                embedder = self._default()
            else:
                pointer = self._registry.current()
                if pointer in (self._pointer, self._refused):
                    return
                embedder = self._load(self._registry, pointer.version)
        except (RegistryError, ManifestError, EmbedderError) as error:
            self._refuse(pointer, str(error))
        except Exception as error:  # S3 is away, or anything of it: looked at again after the poll's pause
            self._problem = f"the model registry cannot be read: {type(error).__name__}: {error}"
            _log.warning("the model registry cannot be read", error=f"{type(error).__name__}: {error}")
        else:
            self._put(pointer, embedder)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self.look()
            if self._registry is None and self._serving is not None:
                return
            self._stopping.wait(self._poll_seconds)

    def _load(self, registry: ModelRegistry, version: str) -> Embedder:
        folder, manifest = registry.fetch(version, self._loading.scratch)
        return self._tried(folder, manifest)

    def _default(self) -> Embedder:
        self._loading.scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="default-", dir=self._loading.scratch))
        return self._tried(folder, default_model.write(folder))

    def _tried(self, folder: Path, manifest: Manifest) -> Embedder:
        try:
            embedder = self._loading.build(folder, manifest)
            try:
                self_test.run(embedder, self._loading.largest_batch)
            except EmbedderError:
                raise
            except Exception as error:  # whatever a graph does with what it is given
                raise EmbedderError(
                    f"self-test of {embedder.version}: {type(error).__name__}: {error}"
                ) from error
            return embedder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, pointer: Pointer | None, embedder: Embedder) -> None:
        before = self._serving
        self._serving = Serving(embedder, self._loading)
        self._pointer, self._refused = pointer, None
        if before is not None and before.embedder.version != embedder.version:
            metrics.model.remove(before.embedder.version)
        metrics.model.labels(embedder.version).set(1)
        metrics.model_loads.labels("placed").inc()
        _log.info("a model is in place", version=embedder.version, joint=embedder.joint)

    def _refuse(self, pointer: Pointer | None, reason: str) -> None:
        if pointer is None and reason == self._problem:
            return  # there is still no model: that was told
        self._refused = pointer
        self._problem = reason
        metrics.model_loads.labels("refused").inc()
        serving = self._serving.embedder.version if self._serving else None
        _log.error("a model was refused", reason=reason, version=pointer and pointer.version, serving=serving)
