"""What is done for a container while it runs: its postStart hook, its probes, and a look at where it listens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from emulator.cluster.kubelet.exposure import exposed
from emulator.cluster.kubelet.probes import Target, follow, problem

_HOOK_SECONDS: Final = 30.0
_FIRST_LOOK_SECONDS: Final = 0.5
_LAST_LOOK_SECONDS: Final = 16.0
"""Where a process listens is looked at ever less often, up to this."""

Record = Callable[[Any, str, str], None]
"""Type, reason and message of an event."""


class SetHealth(Protocol):
    """Hears of a container's health."""

    def __call__(self, *, started: bool, ready: bool) -> None:
        """Whether it has started, and is ready."""
        ...


@dataclass(frozen=True)
class Fault:
    """Why a run is ended."""

    message: str
    blame: str = ""
    """For the terminated state."""
    grace_seconds: float | None = None
    """The pod's by default."""


class Attendance:
    """Attends one run of a container, as process `pid`.

    `set_health` hears whether it has started and is ready; `end` is told when the run must end.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        target: Target,
        *,
        pid: int,
        record: Record,
        set_health: SetHealth,
        end: Callable[[Fault], None],
    ) -> None:
        self._name = spec["name"]
        self._spec = spec
        self._target = target
        self._pid = pid
        self._record = record
        self._set_health = set_health
        self._end = end

    async def run(self) -> None:
        """Attend until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_inside())
            await self._after_start()
            up = asyncio.Event()
            starting = self._watch(group, "startup", lambda good: up.set() if good else self._fail("startup"))
            if starting:
                self._set_health(started=False, ready=False)
                await up.wait()
                starting.cancel()
            self._set_health(started=True, ready="readinessProbe" not in self._spec)
            self._watch(group, "liveness", lambda good: None if good else self._fail("liveness"))
            self._watch(group, "readiness", lambda good: self._set_health(started=True, ready=good))

    async def _after_start(self) -> None:
        hook = (self._spec.get("lifecycle") or {}).get("postStart")
        wrong = await problem(hook, self._target, _HOOK_SECONDS) if hook else None
        if wrong is not None:
            self._record("Warning", "FailedPostStartHook", f"PostStartHook failed: {wrong}")
            self._end(Fault("FailedPostStartHook"))

    def _watch(
        self, group: asyncio.TaskGroup, kind: str, turned: Callable[[bool], Any]
    ) -> asyncio.Task[None] | None:
        probe = self._spec.get(f"{kind}Probe")
        if not probe:
            return None
        called = f"{kind.capitalize()} probe"
        if "grpc" in probe:
            text = f"{called}: gRPC is not emulated; that its port accepts a connection counts"
            self._record("Warning", "ProbeWarning", text)

        def failed(wrong: str) -> None:
            self._record("Warning", "Unhealthy", f"{called} failed: {wrong}")

        return group.create_task(follow(probe, self._target, failed, turned, hasty=kind != "liveness"))

    def _fail(self, kind: str) -> None:
        grace_seconds = self._spec[f"{kind}Probe"].get("terminationGracePeriodSeconds")
        text = f"Container {self._name} failed {kind} probe, will be restarted"
        self._end(Fault(text, grace_seconds=grace_seconds))

    async def _keep_inside(self) -> None:
        pause = _FIRST_LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK_SECONDS)
            found = await asyncio.to_thread(exposed, self._pid)
            if found:
                text = (
                    f"it listened on {', '.join(found)}, which other machines reach; pods listen on their own address, "
                    "which the downward API gives (fieldRef status.podIP)"
                )
                self._record("Warning", "ListensOutside", f"Container {self._name}: {text}")
                self._end(
                    Fault(f"Container {self._name} listens outside loopback, will be restarted", text, 0.0)
                )
