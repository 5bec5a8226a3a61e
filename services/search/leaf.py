"""A leaf: one process that indexes one shard from Kafka and answers the root's calls from it."""

import asyncio
import socket
from typing import Final

from prometheus_client import Gauge

from services.common import logs
from services.common.lifetime import Lifetime
from services.search.index import Index
from services.search.ingest import Ingest
from services.search.leaf_service import LeafService
from services.search.rpc.server import Server
from services.search.settings import LeafSettings
from services.search.snapshots import Snapshots, SnapshotThread, open_or_recover

_log = logs.logger(__name__)
_DOCUMENTS: Final = Gauge("search_documents", "What is in the index, by kind.", ["kind"])
_SEGMENTS: Final = Gauge("search_segments", "Segments of the text index.")
_RECALL: Final = Gauge(
    "search_recall", "Of the approximate vector index against exact search, sampled; 0 to 1."
)


async def start(lifetime: Lifetime) -> None:
    """Recover the index, begin to index, and answer once that has caught up."""
    settings = lifetime.settings
    if not isinstance(settings, LeafSettings):
        raise TypeError(f"a leaf needs LeafSettings, not {type(settings).__name__}")
    snapshots = Snapshots(settings) if settings.snapshots_bucket else None
    index = await asyncio.to_thread(open_or_recover, settings, snapshots)
    lifetime.on_stop("index", index.close)
    watch(index)
    if snapshots is not None:
        snapshot_thread = SnapshotThread(settings, snapshots, index)
        snapshot_thread.start()
        lifetime.on_stop("snapshots", snapshot_thread.stop)
    ingest = Ingest(settings, index, lifetime.fail)
    ingest.start()
    lifetime.on_stop("ingest", ingest.stop)
    lifetime.operations.ready_when("index", ingest.unready)

    replica = f"{settings.pod_name or socket.gethostname()}/{id(lifetime):x}"
    service = LeafService(settings, index, ingest.unready, replica)
    server = Server(service.methods(), threads=settings.search_threads)
    port = await server.start(settings.host, settings.rpc_port)
    _log.info("rpc listens", address=f"{settings.host}:{port}", shard=settings.shard, shards=settings.shards)

    async def stop_server() -> None:
        await lifetime.drain()
        await server.stop(lifetime.seconds_left() / 2)

    lifetime.on_stop("rpc", stop_server)


def watch(index: Index) -> None:
    """Let the metrics look at the index when they are asked for."""
    engine = index.engine

    def gauge(of: Gauge, look: str) -> None:
        of.set_function(lambda: getattr(engine.statistics(), look) or 0)

    for kind in ("pins", "groups", "vectors", "vectors_dead", "vectors_exact", "vectors_indexed"):
        gauge(_DOCUMENTS.labels(kind), kind)
    gauge(_SEGMENTS, "text_segments")
    gauge(_RECALL, "recall")
