"""What stands behind an emulated MSK cluster: the interface of brokers, and their errors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol


class BrokerError(Exception):
    """A broker cannot be had, started or reached. The message says what to do."""


class RefusedError(Exception):
    """The broker works, but does not take what was asked of it."""


class Watcher(Protocol):
    """Is told, in whatever thread, of a broker's coming and going, one at a time."""

    def came(self, address: str, restarts: int) -> None:
        """The broker has come to serve; `restarts` is 0 the first time. When this returns, clients are let in."""
        ...

    def went(self) -> None:
        """The process has ended."""
        ...


class Broker(ABC):
    """One cluster's broker.

    Its listener is plaintext on loopback, without authentication, for every kind.
    """

    kind: str
    limits: tuple[str, ...]
    """What it does otherwise than MSK, a sentence each: shown to people and in docs."""
    durable: bool
    """Whether messages outlive the process."""
    copies: int
    """Replicas that a topic can have."""
    insider: str
    """The client id of who may come in before `Watcher.came` has returned."""

    def details(self, restarts: int) -> dict[str, Any]:
        """What the registry tells of its process."""
        return {
            "address": self.address,
            "kind": self.kind,
            "durable": self.durable,
            "limits": list(self.limits),
            "restarts": restarts,
        }

    @property
    @abstractmethod
    def address(self) -> str:
        """`host:port`, or several with commas, for clients; may change when the broker is started again."""

    @abstractmethod
    def start(self) -> None:
        """Start it, and `Watcher.came` will be called. Raises `BrokerError`. Never takes long."""

    @abstractmethod
    def stop(self) -> None:
        """End it for good, in good order."""

    @abstractmethod
    def discard(self) -> None:
        """End it for good at once, and throw its data away."""

    @abstractmethod
    def configure(self, properties: Mapping[str, str]) -> None:
        """Take over the cluster's `server.properties` as far as a running broker can."""


NO_AUTHENTICATION = (
    "no authentication and no TLS, whatever the cluster declares: every listener of GetBootstrapBrokers is one "
    "plaintext listener, which only this machine reaches (security.protocol=PLAINTEXT)"
)
ONE_BROKER = (
    "one broker whatever NumberOfBrokerNodes says: replication factors and min.insync.replicas count as 1; MSK's "
    "API answers as declared"
)
