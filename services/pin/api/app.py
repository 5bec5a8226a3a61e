"""The application of the role `serve`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException

import services.pin.api as conventions
from services.common import aws, http, problems
from services.common.bodies import StrictRequest
from services.common.lifetime import Lifetime
from services.common.logs import logger
from services.common.problems import Problem
from services.pin.api.boards import BoardController
from services.pin.api.idempotency import Once
from services.pin.api.pins import PinController
from services.pin.api.recommendations import RecommendationController
from services.pin.api.resources import Resources
from services.pin.api.saves import SaveController
from services.pin.api.sections import SectionController
from services.pin.api.stale import StaleCache
from services.pin.api.uploads import UploadController
from services.pin.api.users import UserController
from services.pin.database import Database, DatabaseUnavailable
from services.pin.graph.feed import GraphFeed
from services.pin.settings import PinSettings
from services.pin.uploads import ImageStore

_RETRY_AFTER_SECONDS: Final = 2
_log = logger(__name__)


def create_app(settings: PinSettings, database: Database, images: ImageStore, feed: GraphFeed) -> Litestar:
    """The API over a database, a bucket of images and the graph. Its lifespan watches the database."""
    once = Once(database, timedelta(hours=settings.idempotency_hours))
    stale = StaleCache(settings.stale_cache_entries, settings.stale_cache_seconds)
    resources = Resources(database, once, stale, images, feed)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(each) for each in (database.watch(), once.purge())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    router = Router(
        "/",
        route_handlers=[
            UserController,
            BoardController,
            SectionController,
            PinController,
            SaveController,
            UploadController,
            RecommendationController,
        ],
        dependencies={"resources": Provide(lambda: resources, sync_to_thread=False)},
        exception_handlers={DatabaseUnavailable: _unavailable},
    )
    return http.create_app(
        [router],
        title="Pinwheel pins",
        description=conventions.__doc__ or "",
        lifespan=[lifespan],
        request_class=StrictRequest,
    )


async def serve(lifetime: Lifetime, settings: PinSettings) -> None:
    """Be the API until the process is told to end."""
    database = Database(settings)
    lifetime.on_stop("database", database.close)
    lifetime.operations.ready_when("database", lambda: database.unavailable)
    images = ImageStore(aws.client("s3"), settings.images_bucket)
    feed = GraphFeed(settings)
    feed.start()
    lifetime.on_stop("graph", feed.stop)
    lifetime.operations.ready_when(
        "graph", lambda: None if feed.loaded.is_set() else "boards and pins are being read"
    )
    await http.serve(create_app(settings, database, images, feed), lifetime)


def _unavailable(request: Request[Any, Any, Any], error: DatabaseUnavailable) -> Response[Any]:
    _log.warning("the database cannot be asked", reason=str(error))
    problem = Problem(
        503,
        "the database cannot be asked now: nothing was lost, try again soon",
        headers={"retry-after": str(_RETRY_AFTER_SECONDS)},
    )
    return problems.handlers()[HTTPException](request, problem)
