"""One pod on this machine: its address, volumes and containers, from its binding to its deletion."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Sequence
from typing import Any, Final

from emulator.cluster.kubelet.container import Container
from emulator.cluster.kubelet.container_state import Role
from emulator.cluster.kubelet.host import Host
from emulator.cluster.kubelet.pod_status import conditions, phase, quality_of_service
from emulator.cluster.kubelet.variables import Sources
from emulator.cluster.kubelet.volumes import MountError, Volumes
from emulator.cluster.store import Object, copy_of, key_of, timestamp

PLACEHOLDER: Final = "pinwheel.io/placeholder"
_LOG = logging.getLogger(__name__)
_MOUNT_RETRY_SECONDS: Final = 10.0
_ENDPOINTS_SECONDS: Final = 1.5
_ACCEPT_SECONDS: Final = 0.1
"""Time for a process to accept the connections that were made to it before it is told to end."""


class Pod:
    """A pod that is bound to a node."""

    def __init__(self, host: Host, obj: Object) -> None:
        self.uid: str = obj["metadata"]["uid"]
        self._host = host
        self._object = obj
        self._address = ""
        self._initialized = False
        self._failed = False
        self._silent = False
        self._terminating: asyncio.Task[None] | None = None
        spec = obj["spec"]
        self._before = [
            self._container(each, Role.SIDECAR if each.get("restartPolicy") == "Always" else Role.INIT)
            for each in spec.get("initContainers") or ()
        ]
        self._main = [self._container(each, Role.MAIN) for each in spec["containers"]]
        self._go_on(obj.get("status") or {})
        self._life = asyncio.create_task(self._live(), name=f"pod {obj['metadata']['name']}")

    @property
    def containers(self) -> list[Container]:
        """All, init containers first."""
        return [*self._before, *self._main]

    @property
    def object(self) -> Object:
        """As it is in the store; as it last was, once it is gone."""
        found = self._host.store.find(self._host.resources["pods"], *key_of(self._object))
        if found is not None and found["metadata"]["uid"] == self.uid:
            self._object = found
        return self._object

    def terminate(self, grace_seconds: float) -> None:
        """End the pod in good order, then remove it from the store. Does so once."""
        if self._terminating is None:
            self._terminating = asyncio.create_task(self._terminate(grace_seconds))

    async def gone(self) -> None:
        """The object is gone: end what runs at once, and take the pod's things away."""
        await self._stop_containers(0)
        if self._address:
            self._host.addresses.release(self._address)
        await asyncio.to_thread(shutil.rmtree, self._host.folder(self._object), ignore_errors=True)

    async def shut_down(self, grace_seconds: float) -> None:
        """End what runs because the cluster ends: the objects stay as they are."""
        self._silent = True
        await self._stop_containers(grace_seconds)
        if self._terminating is not None:
            self._terminating.cancel()

    # From start to end

    async def _live(self) -> None:
        try:
            await self._carry()
        except Exception:
            _LOG.exception("pod %s/%s", *key_of(self._object))
            raise

    async def _carry(self) -> None:
        self._address = self._host.addresses.pod_ip()
        self._update()  # the address comes before the start: containers ask for it
        volumes = await self._mounted()
        for container in self._before:
            task = container.start(volumes)
            if container.role is Role.SIDECAR:
                while not container.state.started:
                    await asyncio.sleep(0.02)
            else:
                await asyncio.wait((task,))
                if not container.state.succeeded:
                    self._failed = True
                    await self._end_sidecars()
                    return
        self._initialized = True
        follower = asyncio.create_task(self._follow_objects(volumes)) if volumes.follow_objects else None
        tasks = [container.start(volumes) for container in self._main]
        self._update()
        try:
            await asyncio.wait(tasks)  # a gather would cancel them with this task
        finally:
            if follower:
                follower.cancel()
        await self._end_sidecars()

    async def _mounted(self) -> Volumes:
        obj, host = self.object, self._host
        namespace = obj["metadata"]["namespace"]
        volumes = Volumes(
            Sources(host.store, host.resources, namespace),
            obj,
            host.folder(obj) / "volumes",
            host.claims,
            lambda text: host.translated(text, namespace),
        )
        if all(container.placeholder for container in self.containers):
            return volumes  # nothing would read them
        while True:
            try:
                volumes.set_up(self.object)
            except (MountError, OSError) as error:
                host.record(self.object, "Warning", "FailedMount", str(error))
                await host.news(_MOUNT_RETRY_SECONDS)
            else:
                return volumes

    async def _follow_objects(self, volumes: Volumes) -> None:
        while True:
            await self._host.news()
            with contextlib.suppress(MountError, OSError):  # what is gone meanwhile stays as it was
                volumes.set_up(self.object)

    async def _terminate(self, grace_seconds: float) -> None:
        if any(container.running for container in self.containers) and self._host.endpoints:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_ENDPOINTS_SECONDS, grace_seconds)):
                    await self._host.endpoints.without(self._address)
                    await asyncio.sleep(_ACCEPT_SECONDS)
        await self._stop_containers(grace_seconds)
        self._update()
        store, pods, obj = self._host.store, self._host.resources["pods"], self.object
        if store.find(pods, *key_of(obj)) is obj:
            store.delete(pods, *key_of(obj), 0)

    async def _stop_containers(self, grace_seconds: float) -> None:
        """The main ones together, then the sidecars in reverse order, all within the grace period."""
        self._life.cancel()
        clock = asyncio.get_running_loop().time
        until = clock() + grace_seconds
        others = [container for container in self._before if container.role is Role.INIT]
        await asyncio.gather(*(container.stop(grace_seconds) for container in (*self._main, *others)))
        await self._end_sidecars(until - clock())

    async def _end_sidecars(self, grace_seconds: float | None = None) -> None:
        if grace_seconds is None:
            grace_seconds = float(self._object["spec"].get("terminationGracePeriodSeconds", 30))
        for container in reversed(self._before):
            if container.role is Role.SIDECAR:
                await container.stop(max(0.0, grace_seconds))
        self._update()

    # Its status

    def _container(self, spec: dict[str, Any], role: Role) -> Container:
        return Container(self._host, lambda: self.object, spec, role, self._update)

    def _go_on(self, status: dict[str, Any]) -> None:
        """After a restart of the cluster, whose processes ended with it: count on."""
        before = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        by_name = {each["name"]: each for each in before}
        now = timestamp(self._host.store.clock())
        for container in self.containers:
            last = by_name.get(container.name)
            if last is not None and not container.placeholder:
                container.state.goes_on(last, now)
            if self._before:
                container.state.waits("PodInitializing")

    def _update(self) -> None:
        """Write the status, if it is another."""
        present = self.object
        pods = self._host.resources["pods"]
        if self._silent or self._host.store.find(pods, *key_of(present)) is not present:
            return
        changed = copy_of(present)
        status: dict[str, Any] = changed.setdefault("status", {})
        statuses = [container.status() for container in self._main]
        before = [container.status() for container in self._before]
        sidecars = [
            told for told, each in zip(before, self._before, strict=True) if each.role is Role.SIDECAR
        ]
        now = timestamp(self._host.store.clock())
        status["phase"] = phase(changed, statuses, initialized=self._initialized, failed=self._failed)
        status["conditions"] = conditions(
            changed,
            statuses,
            sidecars,
            now,
            has_address=bool(self._address),
            initialized=self._initialized,
            phase=status["phase"],
        )
        host_address = self._node_address(changed["spec"]["nodeName"])
        if host_address:
            status |= {"hostIP": host_address, "hostIPs": [{"ip": host_address}]}
        status |= {"podIP": self._address, "podIPs": [{"ip": self._address}]}
        status.setdefault("startTime", now)
        status["qosClass"] = quality_of_service(changed["spec"])
        if before:
            status["initContainerStatuses"] = before
        status["containerStatuses"] = statuses
        if all(container.placeholder for container in self.containers):
            changed["metadata"].setdefault("annotations", {})[PLACEHOLDER] = "true"
        self._host.store.update(pods, changed)

    def _node_address(self, name: str) -> str:
        node = self._host.store.find(self._host.resources["nodes"], "", name) or {}
        addresses: Sequence[dict[str, str]] = (node.get("status") or {}).get("addresses") or ()
        return next((each["address"] for each in addresses if each["type"] == "InternalIP"), "")
