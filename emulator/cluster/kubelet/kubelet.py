"""The kubelet of all nodes: carries the pods that are bound to any of them, and answers for their logs."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Final

from emulator.cluster.addresses import Addresses
from emulator.cluster.kubelet import logs
from emulator.cluster.kubelet.host import Host, ServiceEndpoints
from emulator.cluster.kubelet.images import project_name
from emulator.cluster.kubelet.launch import Running
from emulator.cluster.kubelet.pod import Pod
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.settings import Settings
from emulator.cluster.status import bad_request
from emulator.cluster.store import Event, Object, Store, is_terminating, key_of

_LOG = logging.getLogger(__name__)
_ROTATION_SECONDS: Final = 2.0
_STOP_SECONDS: Final = 5.0


class Kubelet:
    """Runs pods as processes; see docs/decisions/0011-pods-are-processes.md.

    `proxy` takes pods out of Services before they end. `backoff_seconds` is the first pause between restarts.
    """

    def __init__(
        self,
        store: Store,
        resources: Resources,
        settings: Settings,
        addresses: Addresses,
        proxy: ServiceEndpoints | None = None,
        *,
        backoff_seconds: float = 10,
    ) -> None:
        self._host = Host(store, resources, settings, addresses, proxy, backoff_seconds)
        self._resource = resources["pods"]
        self._pods: dict[str, Pod] = {}
        """By uid."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe = lambda: None

    async def run(self) -> None:
        """Carry all pods, for ever."""
        self._unsubscribe = self._host.store.subscribe(self._note)
        for obj in self._host.store.list(self._resource):
            self._look_at(obj)
        while True:
            await asyncio.sleep(_ROTATION_SECONDS)
            for pod in tuple(self._pods.values()):  # they come and go meanwhile
                for container in pod.containers:
                    if container.running is not None:
                        await asyncio.to_thread(logs.rotate, container.log_file)

    async def stop(self, grace_seconds: float = _STOP_SECONDS) -> None:
        """End all processes, those of all pods at the same time; the objects stay as they are."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        await asyncio.gather(*(pod.shut_down(grace_seconds) for pod in self._pods.values()))
        if self._tasks:  # pods that were going already
            await asyncio.wait(tuple(self._tasks), timeout=grace_seconds)
        for task in tuple(self._tasks):
            task.cancel()
        self._pods.clear()
        await self._host.close()

    def log(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        follow: bool = False,
        tail_lines: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
        since_seconds: int | None = None,
        limit_bytes: int | None = None,
    ) -> AsyncIterator[bytes]:
        """What a container wrote, in pieces. Raises ApiError 404, and 400 before anything is read."""
        obj = self._host.store.get(self._resource, namespace, pod)
        spec = logs.chosen_container(obj, container)
        if timestamps or since_seconds is not None:
            option = "timestamps" if timestamps else "since"
            raise bad_request(
                f"{option} is not supported by the emulated cluster: containers write their logs themselves, and "
                "nobody notes when; use tail"
            )
        path, run = self._log_file(obj, spec, previous=previous)
        return logs.read(
            path,
            follow=follow and not previous,
            tail_lines=tail_lines,
            limit_bytes=limit_bytes,
            running=lambda: run is not None and not run.ended.done(),
        )

    def _log_file(self, obj: Object, spec: dict[str, Any], *, previous: bool) -> tuple[Path, Running | None]:
        """Where a container's output is, and its process while it runs. Raises ApiError 400."""
        name, pod = spec["name"], obj["metadata"]["name"]
        if not obj["spec"].get("nodeName"):
            raise bad_request(f"pod {pod} does not have a host assigned")
        if project_name(spec["image"]) is None:
            raise bad_request(
                f'container "{name}" in pod "{pod}" is a placeholder, which writes nothing: {spec["image"]} is not '
                "one of the project's images"
            )
        status = obj.get("status") or {}
        statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        told = next((each for each in statuses if each["name"] == name), {})
        run = told.get("restartCount", 0)
        files = [self._host.folder(obj) / name / f"{number}.log" for number in (run, run - 1)]
        if previous and not files[1].exists():
            raise bad_request(f'previous terminated container "{name}" in pod "{pod}" not found')
        # Between two runs there is only the last one's.
        found = [path for path in (files[1:] if previous else files) if path.exists()]
        if not found:
            raise logs.not_started(name, pod, told.get("state") or {})
        carried = self._pods.get(obj["metadata"]["uid"])
        containers = carried.containers if carried else ()
        return found[0], next((each.running for each in containers if each.name == name), None)

    def _note(self, event: Event) -> None:
        if event.resource.key == self._resource.key:
            if event.type == "DELETED":
                self._forget(event.object)
            else:
                self._look_at(event.object)
        else:
            self._host.hear(event.resource.qualified)

    def _look_at(self, obj: Object) -> None:
        """A pod is there, or has changed."""
        metadata = obj["metadata"]
        if not obj["spec"].get("nodeName"):
            return
        pod = self._pods.get(metadata["uid"])
        terminating = is_terminating(obj)
        if pod is None and not is_terminated(obj) and not terminating:
            self._pods[metadata["uid"]] = Pod(self._host, obj)
        elif terminating and pod is not None:
            pod.terminate(metadata.get("deletionGracePeriodSeconds") or 0)
        elif terminating:
            # Nothing runs. Not at once: other listeners have yet to hear of this change.
            self._begin(self._remove(obj))

    def _forget(self, obj: Object) -> None:
        pod = self._pods.pop(obj["metadata"]["uid"], None)
        if pod is not None:
            self._begin(pod.gone())

    async def _remove(self, obj: Object) -> None:
        found = self._host.store.find(self._resource, *key_of(obj))
        if found is not None and found["metadata"]["uid"] == obj["metadata"]["uid"]:
            self._host.store.delete(self._resource, *key_of(obj), 0)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with contextlib.suppress(asyncio.CancelledError):
            error = task.exception()
            if error is not None:
                _LOG.error("a pod's end", exc_info=error)
