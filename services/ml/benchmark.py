"""What the role `serve` does in a second, with and without micro-batching: `python -m services.ml.benchmark`.

Starts real processes with the default model and asks them over gRPC from this process: what the load costs is in the
numbers, as clients and server share the machine. Each line is a closed loop: as many calls at once as it says.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from PIL import Image

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.ml import default_model
from services.ml.embedder import OnnxEmbedder

_SECONDS: Final = 3.0
_CALLERS: Final = (1, 8, 32)
_BATCHES: Final = (1, 16)
_PICTURES: Final = 32


def main() -> None:
    """Print the tables."""
    pictures = [_photo(seed) for seed in range(_PICTURES)]
    titles = [f"a title of pin number {number}, red leather sofa" for number in range(_PICTURES)]
    size = sum(map(len, pictures)) // len(pictures) // 1024
    _say(
        f"JPEG pictures of 1000 x 750, {size} kB each; titles of 45 characters; {os.cpu_count()} CPUs shared"
    )
    _say("\nin one thread, without gRPC")
    _stages(pictures, titles)
    _say("\nover gRPC")
    _say(
        f"{'what':<8}{'largest batch':>14}{'calls at once':>15}{'in a second':>13}{'p50 ms':>9}{'p99 ms':>9}"
    )
    for batch in _BATCHES:
        with _serving(batch) as address, grpc.insecure_channel(address) as channel:
            stub = ml_pb2_grpc.EmbeddingServiceStub(channel)
            images = [ml_pb2.EmbedImagesRequest(images=[picture]) for picture in pictures]
            texts = [ml_pb2.EmbedTextsRequest(texts=[title]) for title in titles]
            for callers in _CALLERS:
                _loop("images", batch, callers, stub.EmbedImages, images)
            for callers in _CALLERS:
                _loop("texts", batch, callers, stub.EmbedTexts, texts)


def _stages(pictures: list[bytes], titles: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        manifest = default_model.write(Path(directory))
        embedder = OnnxEmbedder(Path(directory), manifest, threads=1, device="cpu")
        images = [embedder.prepare_image(picture) for picture in pictures]
        texts = [embedder.prepare_text(title) for title in titles]
        rows: list[tuple[str, int, Callable[[], object]]] = [
            ("decode a picture", len(pictures), lambda: [embedder.prepare_image(each) for each in pictures]),
            ("picture through the model, alone", 1, lambda: embedder.embed_images(images[:1])),
            ("the same, in a batch of 16", 16, lambda: embedder.embed_images(images[:16])),
            ("hash a title", len(titles), lambda: [embedder.prepare_text(each) for each in titles]),
            ("title through the model, alone", 1, lambda: embedder.embed_texts(texts[:1])),
            ("the same, in a batch of 16", 16, lambda: embedder.embed_texts(texts[:16])),
        ]
        for name, count, work in rows:
            _say(f"{name:<36}{_milliseconds(work) / count:>9.3f} ms")


def _milliseconds(work: Callable[[], object]) -> float:
    """The median of some runs."""
    work()
    seconds: list[float] = []
    for _ in range(15):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1000 * sorted(seconds)[len(seconds) // 2]


def _loop(what: str, batch: int, callers: int, method: Callable[..., object], requests: list[Any]) -> None:
    method(requests[0], timeout=30)
    end = time.perf_counter() + _SECONDS

    def ask(caller: int) -> list[float]:
        seconds: list[float] = []
        at = caller
        while (began := time.perf_counter()) < end:
            method(requests[at % len(requests)], timeout=30)
            seconds.append(time.perf_counter() - began)
            at += callers
        return seconds

    with ThreadPoolExecutor(callers) as pool:
        taken = np.array([each for seconds in pool.map(ask, range(callers)) for each in seconds]) * 1000
    middle, worst = np.percentile(taken, [50, 99])
    _say(f"{what:<8}{batch:>14}{callers:>15}{len(taken) / _SECONDS:>13.0f}{middle:>9.1f}{worst:>9.1f}")


@contextmanager
def _serving(batch: int) -> Generator[str]:
    """The address of a server that takes batches of this size."""
    environment = {**os.environ, "GRPC_PORT": "0", "OPERATIONS_PORT": "0", "SHUTDOWN_DRAIN_SECONDS": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.ml", "serve"],
        env={**environment, "BATCH_SIZE": str(batch), "MAX_WAITING": "1000"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = ""
        for line in process.stdout or ():
            said = json.loads(line)
            if said["event"] == "grpc listens":
                address = said["address"]
            if said["event"] == "a model is in place":
                yield address
                return
        raise RuntimeError("the server ended before it served: see above")
    finally:
        process.terminate()
        process.wait()


def _photo(seed: int) -> bytes:
    """Smooth surfaces with grain, about as large as a photograph."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (15, 20, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((1000, 750), Image.Resampling.BICUBIC), dtype=np.float64)
    grained = (smooth + random.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grained).save(file, "JPEG", quality=80)
    return file.getvalue()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the table is what it is for


if __name__ == "__main__":
    main()
