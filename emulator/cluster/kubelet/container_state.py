"""What a container is in its pod, and what is told of it in `containerStatuses`."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Role(Enum):
    """What a container is in its pod."""

    MAIN = auto()
    INIT = auto()
    SIDECAR = auto()
    """An init container that is restarted always, and runs as long as the pod."""


@dataclass
class ContainerState:
    """The state of a container over its restarts."""

    name: str
    image: str
    current: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    """`waiting`, `running` or `terminated`."""
    last: dict[str, Any] = field(default_factory=dict[str, Any])
    """`terminated`, of the run before."""
    restarts: int = 0
    started: bool = False
    ready: bool = False
    image_identity: str = ""
    """Empty for a placeholder."""
    identity: str = ""
    """Of the process, while there is one."""

    @property
    def succeeded(self) -> bool:
        """Whether it has ended, and with 0."""
        return (self.current.get("terminated") or {}).get("exitCode") == 0

    def waits(self, reason: str, message: str = "") -> None:
        """It cannot run now."""
        if "terminated" in self.current:
            self.last = self.current
        self.current = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def runs(self, began: str, identity: str = "") -> None:
        """A run begins, at a time."""
        self.identity = identity
        self.current = {"running": {"startedAt": began}}

    def ends(
        self, began: str, finished: str, code: int, reason: str, *, message: str = "", signal: int = 0
    ) -> None:
        """A run has ended. `code` is the exit status as containers have it, 128 and the signal if it was one."""
        told = {"message": message, "containerID": self.identity, "signal": signal}
        self.identity = ""
        self.started = self.ready = False
        self.current = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": began,
                "finishedAt": finished,
                **{name: value for name, value in told.items() if value},
            }
        }

    def begins_again(self) -> None:
        """There will be another run."""
        if "terminated" in self.current:
            self.last = self.current
        self.restarts += 1

    def goes_on(self, status: dict[str, Any], now: str) -> None:
        """Count on from the status of a cluster whose processes ended with it."""
        self.restarts = status.get("restartCount", 0)
        self.last = status.get("lastState") or {}
        ran = (status.get("state") or {}).get("running")
        if ran:
            text = "the emulated cluster ended, and its containers with it"
            self.ends(ran.get("startedAt", now), now, 137, "Error", message=text)
            self.begins_again()
            self.waits("ContainerCreating")

    def status(self) -> dict[str, Any]:
        """For `containerStatuses`."""
        return {
            "name": self.name,
            "state": self.current,
            "lastState": self.last,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": self.image_identity,
            **({"containerID": self.identity} if self.identity else {}),
            "started": self.started,
        }
