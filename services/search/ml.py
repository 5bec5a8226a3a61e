"""The root's use of the ml service: the vector of an uploaded image, and the order that suits a person.

Both are extras: without the ml service text search works as before, visual search says 503, and results keep the
order that they were found in.
"""

from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio
from prometheus_client import Counter

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common import grpc_client, logs
from services.common.problems import Problem
from services.search.backend import PinHit

RERANKED: Final = Counter(
    "search_reranked", "Answers that were to be re-ranked, by what came of it.", ["outcome"]
)
_log = logs.logger(__name__)


class Ml:
    """A client of the ml service.

    Args:
        address: where it is; empty: nowhere.
        model_version: that vectors must be of to compare with those of the index; empty: any.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_seconds: float,
        rerank_timeout_seconds: float,
        model_version: str = "",
    ) -> None:
        self._model_version: Final = model_version
        self._timeout: Final = timeout_seconds
        self._rerank_timeout: Final = rerank_timeout_seconds
        self._channel = grpc_client.aio_channel(address, timeout_seconds=timeout_seconds) if address else None
        self._embeddings = ml_pb2_grpc.EmbeddingServiceStub(self._channel) if self._channel else None
        self._ranking = ml_pb2_grpc.RankingServiceStub(self._channel) if self._channel else None

    async def image_vector(self, image: bytes) -> bytes:
        """The vector of an encoded image.

        Raises Problem: 400 for what is no image, 503 when the ml service does not answer.
        """
        if self._embeddings is None:
            raise _unavailable("is not set up here")
        try:
            answer = await self._embeddings.EmbedImages(
                ml_pb2.EmbedImagesRequest(images=[image]),
                timeout=self._timeout,
                metadata=grpc_client.metadata(),
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise Problem(
                    400,
                    "the body is no image that can be used: send a whole JPEG, PNG, WebP or GIF of at most "
                    "50 million pixels",
                ) from None
            _log.warning("the ml service failed", code=error.code().name)
            raise _unavailable("does not answer now") from None
        if len(answer.vectors) != 1:
            _log.error("the ml service answered with another number of vectors", vectors=len(answer.vectors))
            raise _unavailable("does not answer as it should")
        if self._model_version and answer.model_version != self._model_version:
            _log.error(
                "ml has another model than the index", ml=answer.model_version, index=self._model_version
            )
            raise _unavailable("has another model than the index")
        return answer.vectors[0]

    async def rerank(self, hits: list[PinHit], history: Sequence[bytes]) -> list[PinHit]:
        """The same hits in the order that suits who acted on pins of these vectors, newest first."""
        if self._ranking is None or not history or not hits:
            return hits
        request = ml_pb2.RerankRequest(
            history=history,
            candidates=[
                ml_pb2.Candidate(pin_id=hit.pin_id, score=hit.score, vector=hit.vector) for hit in hits
            ],
        )
        try:
            answer = await self._ranking.Rerank(
                request, timeout=self._rerank_timeout, metadata=grpc_client.metadata()
            )
        except grpc.aio.AioRpcError as error:
            RERANKED.labels(error.code().name.lower()).inc()
            return hits
        by_id = {hit.pin_id: hit for hit in hits}
        ordered = [by_id.pop(pin_id) for pin_id in answer.pin_ids if pin_id in by_id]
        RERANKED.labels("done").inc()
        return [*ordered, *by_id.values()]

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close(None)


def _unavailable(why: str) -> Problem:
    detail = f"visual search cannot look at images: the ml service {why}; search by text works"
    return Problem(503, detail, headers={"retry-after": "5"})
