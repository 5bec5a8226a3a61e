"""One emulated cluster: the parts of a control plane and of its nodes, in one process and one thread.

Requests come in through `server`, pass `writes`, and land in the `store`; the controllers, the scheduler and
the kubelet hear of every change and make further ones, until what is there is what was asked for.
"""

import asyncio
import contextlib
import logging
import socket
import time
from typing import Final

from aiohttp import web

from emulator.cluster.addresses import Addresses
from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.api.server import application, ssl_context
from emulator.cluster.controllers.all import all_controllers
from emulator.cluster.controllers.bootstrap import bootstrap
from emulator.cluster.controllers.manager import Manager
from emulator.cluster.external_secrets import ExternalSecrets, from_secrets_manager
from emulator.cluster.kubelet import Kubelet
from emulator.cluster.proxy import ServiceProxy
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.devices import DevicePlugins
from emulator.cluster.scheduling.disruption import Disruption
from emulator.cluster.scheduling.nodes import NodeLifecycle
from emulator.cluster.scheduling.provisioner import Provisioner
from emulator.cluster.scheduling.scheduler import Scheduler
from emulator.cluster.settings import Settings
from emulator.cluster.snapshot import Snapshot
from emulator.cluster.store import Store
from emulator.cluster.writes import Writes

_LOG = logging.getLogger(__name__)
_SHUTDOWN_SECONDS: Final = 1.0
_LONGEST_HEADER: Final = 1024 * 1024
"""Bytes of a URL or a header, as Go's. Selectors are long at times."""


class Cluster:
    """A cluster that is ready to run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self.resources = Resources()
        self.schemas = KubernetesSchemas(settings.version)
        self.addresses = Addresses(settings.directory)
        self.writes = Writes(
            self.store, self.resources, self.schemas, allocate_cluster_ip=self.addresses.service_ip
        )
        self.proxy = ServiceProxy(self.store, self.resources, settings, self.addresses)
        self.kubelet = Kubelet(self.store, self.resources, settings, self.addresses, self.proxy)
        controllers = [
            Scheduler(self.store, self.resources),
            NodeLifecycle(self.store, self.resources),
            DevicePlugins(self.store, self.resources),
            Provisioner(self.store, self.resources, settings.region),
            Disruption(self.store, self.resources),
            ExternalSecrets(self.store, self.resources, from_secrets_manager(settings.environment)),
            *all_controllers(
                self.store, self.resources, certificate_authority=settings.certificate_authority
            ),
        ]
        self.manager = Manager(self.store, controllers, time.monotonic)
        self._snapshot = Snapshot(self.store, settings.directory / "objects.json")

    def upgrade(self, settings: Settings) -> None:
        """Serve the version of Kubernetes that `settings` name."""
        self.settings = settings
        self.schemas.change_version(settings.version)

    async def run(self, listener: socket.socket, stopped: asyncio.Event) -> None:
        """Serve on a listening socket until `stopped`; then end all pods."""
        restored = self._snapshot.restore(self.resources, self.schemas)
        address, port = listener.getsockname()
        cluster_ip = self.addresses.service_ip("default", "kubernetes")
        bootstrap(self.store, self.resources, cluster_ip=cluster_ip, address=address, port=port)
        _LOG.info("serving Kubernetes %s, %d objects restored", self.settings.version, restored)
        runner = web.AppRunner(
            application(self),
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            handler_cancellation=True,  # who leaves a watch is noticed at once
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=ssl_context(self.settings)).start()
        parts = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("controllers", self.manager.run()),
                ("kubelet", self.kubelet.run()),
                ("proxy", self.proxy.run()),
                ("snapshot", self._snapshot.run()),
            )
        ]
        waiting = asyncio.create_task(stopped.wait())
        try:
            done, _ = await asyncio.wait([waiting, *parts], return_when=asyncio.FIRST_COMPLETED)
            for part in done - {waiting}:
                part.result()  # none of them ends by itself: it is an error, which ends the process
        finally:
            self._snapshot.save()
            await self.kubelet.stop()
            await self.proxy.stop()
            for part in (waiting, *parts):
                part.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*parts, return_exceptions=True)
            await runner.cleanup()
