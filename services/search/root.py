"""The root: the REST API before all shards."""

from litestar import Litestar
from litestar.di import Provide

from services.common import http
from services.common.lifetime import Lifetime
from services.search.backend import Backend
from services.search.embedded import EmbeddedBackend
from services.search.ml import Ml
from services.search.rest import SearchController, Searching
from services.search.settings import RootSettings


async def start(lifetime: Lifetime) -> None:
    """Connect to the shards, or to OpenSearch, and answer."""
    settings = lifetime.settings
    if not isinstance(settings, RootSettings):
        raise TypeError(f"a root needs RootSettings, not {type(settings).__name__}")
    backend = _backend(settings)
    lifetime.on_stop("backend", backend.close)
    lifetime.operations.ready_when("index", backend.unready)
    ml = Ml(
        settings.ml_address,
        model_version=settings.embedding_model_version,
        timeout_seconds=settings.ml_timeout_ms / 1_000,
        rerank_timeout_seconds=settings.rerank_timeout_ms / 1_000,
    )
    lifetime.on_stop("ml", ml.close)
    await http.serve(create_app(settings, backend, ml), lifetime)


def create_app(settings: RootSettings, backend: Backend, ml: Ml) -> Litestar:
    """The application over a backend."""
    searching = Searching(backend, ml, rerank=settings.rerank, visual_searches=settings.visual_searches)
    return http.create_app(
        [SearchController],
        title="Search",
        description="Finds pins and boards by words, by pictures, and by both.",
        dependencies={"searching": Provide(lambda: searching, sync_to_thread=False)},
        max_body_bytes=settings.max_image_bytes,
    )


def _backend(settings: RootSettings) -> Backend:
    if settings.search_backend == "opensearch":
        from services.search.opensearch.backend import connect  # noqa: PLC0415 - only where it is used

        return connect()
    backend = EmbeddedBackend(settings)
    backend.start()
    return backend
