"""One container of a pod: started, probed, restarted, stopped.

States, reasons and texts are the kubelet's, because people and tools read them in `kubectl describe`.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from emulator.cluster.kubelet.attendance import Attendance, Fault
from emulator.cluster.kubelet.backoff import BackOff, told
from emulator.cluster.kubelet.container_state import ContainerState, Role
from emulator.cluster.kubelet.host import Host
from emulator.cluster.kubelet.images import Image, project_name
from emulator.cluster.kubelet.launch import Launch, Running, StartError, check, execute, launch
from emulator.cluster.kubelet.probes import Target, problem
from emulator.cluster.kubelet.pulls import pull
from emulator.cluster.kubelet.variables import ConfigError
from emulator.cluster.kubelet.volumes import Volumes
from emulator.cluster.store import Object, timestamp

_LOG = logging.getLogger(__name__)
_CONFIG_RETRY_SECONDS: Final = 10.0
_MINIMUM_GRACE_SECONDS: Final = 2.0
"""For a process to end after a preStop hook that took all the time."""
_START_ERROR: Final = 128
_KEPT_LOGS: Final = 2


class Container:
    """A container over all its restarts. `changed` is called whenever its status is another."""

    def __init__(
        self,
        host: Host,
        pod: Callable[[], Object],
        spec: dict[str, Any],
        role: Role,
        changed: Callable[[], None],
    ) -> None:
        self.name: str = spec["name"]
        self.spec = spec
        self.role = role
        self.placeholder = project_name(spec["image"]) is None
        self.state = ContainerState(self.name, spec["image"])
        self.running: Running | None = None
        self.task: asyncio.Task[None] | None = None
        self._host = host
        self._pod = pod
        self._changed = changed
        self._stopping = asyncio.Event()
        self._back_off = BackOff(host.backoff_seconds)
        self._plan: Launch | None = None
        self._volumes: Volumes | None = None
        self._kill: asyncio.Task[None] | None = None
        self._executed = 0
        self._blamed = ""

    # What the pod asks

    def start(self, volumes: Volumes) -> asyncio.Task[None]:
        """Begin; the task ends when the container has ended for good."""
        self._volumes = volumes
        self.task = asyncio.create_task(self._run(), name=f"container {self.name}")
        self.task.add_done_callback(_tell_of_errors)
        return self.task

    async def stop(self, grace_seconds: float) -> None:
        """End it for good: the preStop hook, SIGTERM, and SIGKILL after the grace period (at once if it is 0)."""
        told_before = self._stopping.is_set()
        self._stopping.set()
        if self.task is None:
            return
        if self.running is not None:
            if not told_before:
                self._record("Normal", "Killing", f"Stopping container {self.name}")
            await self._terminate(self.running, grace_seconds)
        elif not self.placeholder:  # it waits for something
            self.task.cancel()
        await asyncio.wait((self.task,))

    @property
    def log_file(self) -> Path:
        """Where the output of this run goes."""
        return self._logs / f"{self.state.restarts}.log"

    def status(self) -> dict[str, Any]:
        """For `containerStatuses`. Of an init container, `ready` means that it has done its work."""
        ready = {"ready": self.state.succeeded} if self.role is Role.INIT else {}
        return {**self.state.status(), **ready}

    # Its life

    async def _run(self) -> None:
        if self.placeholder:
            await self._stand_in()
            return
        while True:
            self._plan = await self._prepared()
            began = self._now()
            code = await self._execute(self._plan)
            if self._stopping.is_set() or not self._again(code):
                return
            await self._pause((self._now() - began).total_seconds())
            self.state.begins_again()

    async def _stand_in(self) -> None:
        """Be shown as running, or, as an init container, as done."""
        self._record(
            "Normal",
            "Placeholder",
            f"{self.spec['image']} is not one of the project's images; shown as "
            + ("completed" if self.role is Role.INIT else "running"),
        )
        began = self._time()
        if self.role is not Role.INIT:
            self.state.runs(began)
            self.state.started = self.state.ready = True
            self._changed()
            await self._stopping.wait()
        self.state.ends(began, self._time(), 0, "Completed")
        self._changed()

    async def _prepared(self) -> Launch:
        """The command line and all that belongs to it, as soon as everything is there that it refers to."""
        image = await self._pulled()
        while True:
            try:
                assert self._volumes is not None  # noqa: S101 - start() sets it
                return launch(self._host, self._pod(), self.spec, image, self._volumes)
            except ConfigError as error:
                self._wait_because("CreateContainerConfigError", str(error))
                self._record("Warning", "Failed", f"Error: {error}")
            await self._host.news(_CONFIG_RETRY_SECONDS)

    async def _pulled(self) -> Image:
        reference, images = self.spec["image"], self._host.settings.images
        back_off = BackOff(self._host.backoff_seconds)
        image = await pull(images, reference, back_off, self._record, self._wait_because)
        if not self.state.image_identity:
            self._record("Normal", "Pulled", f'Container image "{reference}" already present on machine')
        self.state.image_identity = f"pinwheel/{image.name}@{image.identity}"
        return image

    async def _execute(self, plan: Launch) -> int:
        """Run the process once, to its end; returns the exit status as a container has it."""
        began = self._time()
        try:
            check(plan)
            self._forget_old_logs()
            running = Running(
                self._process_name,
                plan,
                self.log_file,
                self._host.settings.registry,
                address=(self._pod().get("status") or {}).get("podIP"),
                restarts=self.state.restarts,
            )
        except (StartError, OSError) as error:
            self._record("Warning", "Failed", f"Error: {error}")
            self.state.ends(began, self._time(), _START_ERROR, "StartError", message=str(error))
            self._changed()
            return _START_ERROR
        self.running = running
        self._record("Normal", "Created", f"Created container: {self.name}")
        self._record("Normal", "Started", f"Started container {self.name}")
        self.state.runs(began, f"process://{running.process.pid}")
        self._blamed = ""
        attendance = asyncio.create_task(self._attendance(running).run())
        try:
            status = await running.ended
        finally:
            attendance.cancel()
            running.process.kill()  # nothing is left if this task is cancelled
        if self._kill is not None:
            await self._kill
            self._kill = None
        code = 128 - status if status < 0 else status
        self.running = None
        reason, signal = "Completed" if code == 0 else "Error", max(0, -status)
        self.state.ends(began, self._time(), code, reason, message=self._blamed, signal=signal)
        self._changed()
        return code

    def _attendance(self, running: Running) -> Attendance:
        return Attendance(
            self.spec,
            self._target(),
            pid=running.process.pid,
            record=self._record,
            set_health=self._set_health,
            end=lambda fault: self._end_run(running, fault),
        )

    def _set_health(self, *, started: bool, ready: bool) -> None:
        if not self._stopping.is_set() or not ready:
            self.state.started, self.state.ready = started, ready
            self._changed()

    def _end_run(self, running: Running, fault: Fault) -> None:
        """End this run because of a fault; whether there will be another is for the restart policy to say."""
        if self._kill is not None or self._stopping.is_set():
            return
        self._record("Normal", "Killing", fault.message)
        self._blamed = fault.blame
        grace_seconds = fault.grace_seconds
        if grace_seconds is None:
            grace_seconds = self._pod()["spec"].get("terminationGracePeriodSeconds", 30)
        self._kill = asyncio.create_task(self._terminate(running, grace_seconds))

    async def _terminate(self, running: Running, grace_seconds: float) -> None:
        clock = asyncio.get_running_loop().time
        until = clock() + grace_seconds
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace_seconds > 0:
            doing = asyncio.create_task(problem(hook, self._target(), grace_seconds))
            await asyncio.wait(
                (doing, running.ended), timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            wrong = doing.result() if doing.done() else None
            doing.cancel()
            if wrong is not None:
                self._record("Warning", "FailedPreStopHook", f"PreStopHook failed: {wrong}")
            until = max(until, clock() + _MINIMUM_GRACE_SECONDS)
        await running.terminate(max(0.0, until - clock()))

    def _again(self, code: int) -> bool:
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        if self.role is Role.SIDECAR:
            return True
        if self.role is Role.INIT:
            return code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _pause(self, ran_seconds: float) -> None:
        delay = self._back_off.after(ran_seconds)
        if not delay:
            return
        metadata = self._pod()["metadata"]
        self._wait_because(
            "CrashLoopBackOff",
            f"back-off {told(delay)} restarting failed container={self.name} "
            f"pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})",
        )
        self._record(
            *("Warning", "BackOff"),
            f"Back-off restarting failed container {self.name} in pod "
            f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})",
        )
        await asyncio.sleep(delay)

    # Small things

    def _wait_because(self, reason: str, message: str) -> None:
        self.state.waits(reason, message)
        self._changed()

    def _target(self) -> Target:
        ports = {
            port["name"]: port["containerPort"] for port in self.spec.get("ports") or () if port.get("name")
        }
        address: str = (self._pod().get("status") or {})["podIP"]
        return Target(address, ports, self._host.session, self._execute_beside)

    async def _execute_beside(self, command: tuple[str, ...], timeout_seconds: float) -> tuple[int, str]:
        assert self._plan is not None  # noqa: S101 - only a container that runs is probed
        self._executed += 1
        name = f"{self._process_name}/exec-{self._executed}"
        log = self._logs / f"exec-{self._executed}"
        plan = self._plan.with_command(command)
        return await execute(name, plan, log, self._host.settings.registry, timeout_seconds)

    @property
    def _logs(self) -> Path:
        return self._host.folder(self._pod()) / self.name

    def _forget_old_logs(self) -> None:
        for path in self._logs.glob(f"{self.state.restarts - _KEPT_LOGS}.log*"):
            path.unlink()

    @property
    def _process_name(self) -> str:
        metadata = self._pod()["metadata"]
        cluster = self._host.settings.name  # a world's clusters share a registry
        return f"{cluster}/pod/{metadata['namespace']}/{metadata['name']}/{self.name}"

    def _record(self, kind: Any, reason: str, message: str) -> None:
        self._host.record(self._pod(), kind, reason, message, container=self.name)

    def _now(self) -> datetime:
        return self._host.store.clock()

    def _time(self) -> str:
        return timestamp(self._now())


def _tell_of_errors(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("%s", task.get_name(), exc_info=task.exception())
