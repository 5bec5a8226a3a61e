"""The role `serve`: what is started, and in which order it ends."""

from functools import partial
from typing import NoReturn

from services.api.ml.v1 import ml_pb2_grpc
from services.common import aws, grpc_server, lifetime
from services.common.lifetime import Lifetime
from services.ml.embedder import OnnxEmbedder
from services.ml.keeper import Loading, ModelKeeper
from services.ml.ranking import InterestRanker
from services.ml.registry import ModelRegistry
from services.ml.service import EmbeddingService, RankingService
from services.ml.settings import ServeSettings


def run(settings: ServeSettings) -> NoReturn:
    """Serve until SIGTERM."""

    async def start(life: Lifetime) -> None:
        keeper = ModelKeeper(
            _registry(settings), _loading(settings), poll_seconds=settings.model_poll_seconds
        )
        life.operations.ready_when("model", keeper.unready)
        life.operations.alive_when(
            "model keeper", lambda: None if keeper.watching else "its thread has ended"
        )
        keeper.start()
        life.on_stop("model keeper", keeper.stop)
        # A call waits in its thread for its batch: two full batches of either kind, and some that decode.
        server = grpc_server.create_server(
            threads=4 * settings.batch_size, concurrent=2 * settings.max_waiting + 4 * settings.batch_size
        )
        ml_pb2_grpc.add_EmbeddingServiceServicer_to_server(
            EmbeddingService(keeper, decoders=settings.inference_threads, max_waiting=settings.max_waiting),
            server,
        )
        ml_pb2_grpc.add_RankingServiceServicer_to_server(RankingService(InterestRanker()), server)
        grpc_server.serve(server, life)

    lifetime.run(settings, start)


def _registry(settings: ServeSettings) -> ModelRegistry | None:
    if settings.models_bucket is None or settings.model_name is None:
        return None
    return ModelRegistry(aws.client("s3"), settings.models_bucket, settings.model_name)


def _loading(settings: ServeSettings) -> Loading:
    return Loading(
        build=partial(OnnxEmbedder, threads=settings.inference_threads, device=settings.inference_device),
        largest_batch=settings.batch_size,
        batch_wait_seconds=settings.batch_wait_ms / 1000,
        scratch=settings.model_cache,
    )
