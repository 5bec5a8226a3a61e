"""What the role `serve` answers over gRPC; see services/api/ml/v1/ml.proto."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common.grpc_server import GrpcProblem
from services.ml.batching import Admission, ExpiredError, MicroBatcher, OverloadedError, cancel, results_of
from services.ml.embedder import EmbedderError, Prepared
from services.ml.keeper import ModelKeeper, Serving, Vector
from services.ml.pictures import PictureError
from services.ml.ranking import MAX_CANDIDATES, MAX_HISTORY, Found, Ranker
from services.ml.texts import TextError

MAX_INPUTS: Final = 64
"""Texts or images of one call."""
_PATIENCE_SECONDS: Final = 30.0
"""Deadline of calls that set none."""

Given = TypeVar("Given")


class EmbeddingService(ml_pb2_grpc.EmbeddingServiceServicer):
    """Embeds with the model that is in place when a call comes.

    Args:
        keeper: has the model.
        decoders: pictures that are decoded at once: what bounds memory.
        max_waiting: images, and texts, inside at once.
    """

    def __init__(self, keeper: ModelKeeper, *, decoders: int, max_waiting: int) -> None:
        self._keeper = keeper
        self._decoding = threading.BoundedSemaphore(decoders)
        self._images = Admission("images", max_waiting)
        self._texts = Admission("texts", max_waiting)

    @override
    def EmbedTexts(
        self, request: ml_pb2.EmbedTextsRequest, context: grpc.ServicerContext
    ) -> ml_pb2.EmbedTextsResponse:
        """See the proto file."""
        serving = self._serving()
        embedder = serving.embedder
        if not embedder.takes_texts:
            raise GrpcProblem(grpc.StatusCode.UNIMPLEMENTED, f"model {embedder.version} takes no texts")
        vectors = _embedded(request.texts, embedder.prepare_text, serving.texts, self._texts, context)
        return ml_pb2.EmbedTextsResponse(
            model_version=embedder.version, vectors=vectors, joint=embedder.joint
        )

    @override
    def EmbedImages(
        self, request: ml_pb2.EmbedImagesRequest, context: grpc.ServicerContext
    ) -> ml_pb2.EmbedImagesResponse:
        """See the proto file."""
        serving = self._serving()
        embedder = serving.embedder

        def prepare(image: bytes) -> Prepared:
            with self._decoding:
                return embedder.prepare_image(image)

        vectors = _embedded(request.images, prepare, serving.images, self._images, context)
        return ml_pb2.EmbedImagesResponse(
            model_version=embedder.version, vectors=vectors, joint=embedder.joint
        )

    def _serving(self) -> Serving:
        try:
            return self._keeper.serving
        except EmbedderError as error:
            raise GrpcProblem(grpc.StatusCode.UNAVAILABLE, str(error)) from None


class RankingService(ml_pb2_grpc.RankingServiceServicer):
    """Ranks by whatever ranker it is given."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    @override
    def Rerank(self, request: ml_pb2.RerankRequest, context: grpc.ServicerContext) -> ml_pb2.RerankResponse:
        """See the proto file."""
        return ml_pb2.RerankResponse(pin_ids=self._ranker.rank(*_ranking_input(request)))


def _embedded(
    given: Sequence[Given],
    prepare: Callable[[Given], Prepared],
    batcher: MicroBatcher[Prepared, Vector],
    admission: Admission,
    context: grpc.ServicerContext,
) -> list[bytes]:
    kind = admission.kind
    if not 0 < len(given) <= MAX_INPUTS:
        raise _invalid(f"{kind}: {len(given)} are given; 1 to {MAX_INPUTS} are taken")
    deadline = _deadline(context)
    try:
        with admission.of(len(given)):
            with batcher.coming():
                inputs = [
                    _prepared(f"{kind}[{index}]", each, prepare, deadline, context)
                    for index, each in enumerate(given)
                ]
                futures = batcher.submit(inputs, deadline)
            # A caller that goes away takes what has not begun out of the queue.
            context.add_callback(lambda: cancel(futures))
            vectors = results_of(futures, deadline)
    except OverloadedError as error:
        raise GrpcProblem(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)) from None
    except ExpiredError as error:
        raise GrpcProblem(grpc.StatusCode.DEADLINE_EXCEEDED, str(error)) from None
    for index, vector in enumerate(vectors):
        if not vector.any():
            raise _invalid(f"{kind}[{index}]: the model makes nothing of it")
    return [vector.astype("<f4").tobytes() for vector in vectors]


def _prepared(
    place: str,
    given: Given,
    prepare: Callable[[Given], Prepared],
    deadline: float,
    context: grpc.ServicerContext,
) -> Prepared:
    if time.monotonic() > deadline or not context.is_active():
        raise ExpiredError("the deadline passed, or the caller went away")
    try:
        return prepare(given)
    except (PictureError, TextError) as error:
        raise _invalid(f"{place}: {error}") from None


def _ranking_input(request: ml_pb2.RerankRequest) -> tuple[list[NDArray[np.float32]], list[Found]]:
    if len(request.candidates) > MAX_CANDIDATES:
        raise _invalid(f"candidates: {len(request.candidates)} are given; at most {MAX_CANDIDATES} are taken")
    if len(request.history) > MAX_HISTORY:
        raise _invalid(f"history: {len(request.history)} vectors are given; at most {MAX_HISTORY} are taken")
    history = [_vector(f"history[{index}]", each) for index, each in enumerate(request.history)]
    candidates = [
        Found(
            each.pin_id,
            each.score,
            _vector(f"candidates[{index}].vector", each.vector) if each.vector else None,
        )
        for index, each in enumerate(request.candidates)
    ]
    vectors = [*history, *(each.vector for each in candidates if each.vector is not None)]
    if len({len(vector) for vector in vectors}) > 1:
        raise _invalid("vectors of different lengths are given: they are of different models")
    for index, each in enumerate(candidates):
        if not np.isfinite(each.score):
            raise _invalid(f"candidates[{index}].score is {each.score}; a finite number is taken")
    return history, candidates


def _vector(place: str, encoded: bytes) -> NDArray[np.float32]:
    if not encoded or len(encoded) % 4:
        raise _invalid(f"{place} has {len(encoded)} bytes: float32 numbers of 4 bytes each are taken")
    vector = np.frombuffer(encoded, dtype="<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise _invalid(f"{place} holds what is no finite number")
    return vector


def _deadline(context: grpc.ServicerContext) -> float:
    """On the clock of `time.monotonic`."""
    remaining: float | None = context.time_remaining()
    if remaining is None:  # pyright: ignore[reportUnnecessaryComparison] - the types leave out calls without one
        remaining = _PATIENCE_SECONDS
    return time.monotonic() + remaining


def _invalid(detail: str) -> GrpcProblem:
    return GrpcProblem(grpc.StatusCode.INVALID_ARGUMENT, detail)
