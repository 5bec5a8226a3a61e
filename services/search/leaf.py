"""A leaf: one process that indexes one shard from Kafka and answers the root's calls from it."""

import asyncio
import socket

from services.common import logs
from services.common.lifetime import Lifetime
from services.search.ingest import Ingest
from services.search.leaf_service import LeafService
from services.search.recovery import lock, open_or_recover
from services.search.rpc.server import Server
from services.search.settings import LeafSettings
from services.search.snapshots import Snapshots, SnapshotThread
from services.search.watch import Watch

_log = logs.logger(__name__)


async def start(lifetime: Lifetime) -> None:
    """Recover the index, begin to index, and answer once that has caught up."""
    settings = lifetime.settings
    if not isinstance(settings, LeafSettings):
        raise TypeError(f"a leaf needs LeafSettings, not {type(settings).__name__}")
    lifetime.on_stop("lock", lock(settings.index_directory))
    snapshots = Snapshots(settings) if settings.snapshots_bucket else None
    index = await asyncio.to_thread(open_or_recover, settings, snapshots)
    lifetime.on_stop("index", index.close)
    watch = Watch(settings, index)
    watch.start()
    lifetime.on_stop("watch", watch.stop)
    if snapshots is not None:
        snapshot_thread = SnapshotThread(settings, snapshots, index)
        snapshot_thread.start()
        lifetime.on_stop("snapshots", snapshot_thread.stop)
    ingest = Ingest(settings, index, lifetime.fail)
    ingest.start()
    lifetime.on_stop("ingest", ingest.stop)
    lifetime.operations.ready_when("index", ingest.unready)

    replica = f"{settings.pod_name or socket.gethostname()}/{id(lifetime):x}"
    service = LeafService(settings, index, watch, ingest.unready, replica)
    server = Server(service.methods(), threads=settings.search_threads)
    port = await server.start(settings.host, settings.rpc_port)
    _log.info("rpc listens", address=f"{settings.host}:{port}", shard=settings.shard, shards=settings.shards)

    async def stop_server() -> None:
        await lifetime.drain()
        await server.stop(lifetime.seconds_left() / 2)

    lifetime.on_stop("rpc", stop_server)
