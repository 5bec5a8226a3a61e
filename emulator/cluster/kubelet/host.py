"""What all pods share: the store, the machine's addresses and folders, the Services, and the news of objects."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

import aiohttp

from emulator.cluster.addresses import Addresses
from emulator.cluster.controllers.events import record
from emulator.cluster.kubelet.translation import ServiceAddress, with_addresses
from emulator.cluster.resources import Resources
from emulator.cluster.settings import Settings
from emulator.cluster.store import Object, Store

COMPONENT: Final = "kubelet"
_NEWS_OF: Final = ("configmaps", "secrets", "persistentvolumeclaims", "services")


class ServiceEndpoints(Protocol):
    """What the kubelet asks of the proxy in front of its pods."""

    async def without(self, address: str) -> None:
        """Return when no new connection is led to a pod's address, or soon in any case."""
        ...

    def ports(self, namespace: str, name: str) -> Mapping[int, int]:
        """The ports of a Service, and those at which it listens."""
        ...

    def headless_address(self, namespace: str, name: str) -> str | None:
        """What stands for the pods of a headless Service; None for any other."""
        ...


@dataclass
class Host:
    """The machine, as pods see it."""

    store: Store
    resources: Resources
    settings: Settings
    addresses: Addresses
    endpoints: ServiceEndpoints | None
    backoff_seconds: float
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """For probes and hooks: no cookies, a new connection each time, no certificate verified."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, ssl=False, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"kube-probe/{self.settings.version}", "Accept": "*/*"},
            )
        return self._session

    @property
    def pods(self) -> Path:
        """Where the pods' folders are."""
        return self.settings.directory / "pods"

    @property
    def claims(self) -> Path:
        """Where PersistentVolumeClaims keep their data."""
        return self.settings.directory / "volumes"

    def folder(self, pod: Object) -> Path:
        """The folder of one pod, as kubelets name those of logs."""
        metadata = pod["metadata"]
        return self.pods / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"

    def record(
        self,
        pod: Object,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        *,
        container: str = "",
    ) -> None:
        """Record an event about a pod, or one of its containers."""
        path = f"spec.containers{{{container}}}" if container else ""
        record(self.store, self.resources, pod, kind, reason, message, COMPONENT, field_path=path)

    def translated(self, text: str, namespace: str) -> str:
        """`text` with the names of Services replaced by their addresses."""
        return with_addresses(text, namespace, self._service)

    def hear(self, plural: str) -> None:
        """Wake those who wait for objects that pods refer to."""
        if plural in _NEWS_OF:
            self._news.set()
            self._news = asyncio.Event()

    async def news(self, timeout_seconds: float | None = None) -> None:
        """Wait until an object changes that pods refer to, or for a time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_seconds)

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    def _service(self, namespace: str, name: str, certain: bool) -> ServiceAddress | None:  # noqa: FBT001 - Lookup
        found = self.store.find(self.resources["services"], namespace, name)
        if found is None:
            return ServiceAddress(self.addresses.promise(namespace, name)) if certain else None
        if found["spec"].get("type") == "ExternalName":
            return ServiceAddress(found["spec"].get("externalName", ""))
        address = found["spec"].get("clusterIP")
        if address == "None" and certain and self.endpoints:
            address = self.endpoints.headless_address(namespace, name)
        if not address or address == "None":  # of a pod of a headless Service, or told to nobody yet
            return None
        ports = {port["port"]: port["port"] for port in found["spec"].get("ports") or ()}
        moved = self.endpoints.ports(namespace, name) if self.endpoints else {}
        return ServiceAddress(address, {**ports, **moved})
