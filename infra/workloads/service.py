"""The vocabulary: what a service says of itself. All else is derived from it, and from nothing else.

A declaration knows no account, no cluster and no ARN; the components of this package put those in. A service
here is one deployable: several may run one image in different roles.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from infra.data.catalogue import TOPICS
from infra.environment import Environment

NAMESPACE: Final = "pinwheel"
"""Where the services run."""

HTTP_PORT: Final = 8080
RPC_PORT: Final = 9000
"""gRPC, or another protocol between services."""
OPERATIONS_PORT: Final = 9090
"""Of every service: `/livez`, `/readyz`, `/metrics`. Nothing but the kubelet and Prometheus comes in there."""

BUCKETS: Final = ("images", "models", "snapshots")
"""What there is to ask for in `BucketAccess`; `infra/workloads/buckets.py` makes them."""

MAX_NAME: Final = 30
"""Characters: `pinwheel-<environment of up to 20>-<name>` must fit the 64 of a role's name."""

MIN_SHUTDOWN: Final = 10
"""Seconds: endpoints are withdrawn everywhere in about three, and a margin is left before SIGKILL."""

_NAME: Final = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_PREFIX: Final = re.compile(r"(/[a-z0-9._-]+)+")
_TOPICS: Final = frozenset(topic.name for topic in TOPICS)


class DeclarationError(ValueError):
    """A declaration that cannot be right: which service, what is wrong, what would be right."""


class Port(StrEnum):
    """What a service answers, beside operations. Each kind has one number everywhere."""

    HTTP = "http"
    GRPC = "grpc"
    RPC = "rpc"
    """Of the search service's own: what its root asks its leaves by (`services/search/rpc/`)."""

    @property
    def number(self) -> int:
        """Where it listens."""
        return HTTP_PORT if self is Port.HTTP else RPC_PORT


@dataclass(frozen=True)
class Resources:
    """Of one pod. There is no CPU limit: throttling costs latency and saves nothing that requests do not."""

    cpu_millis: int
    memory_mib: int
    memory_limit_mib: int
    """Above it the pod is killed."""

    def cpus(self, *, least: int = 1) -> int:
        """Threads that are worth having: without a limit a process sees all the CPUs of its node."""
        return max(least, -(-self.cpu_millis // 1000))


@dataclass(frozen=True)
class Replicas:
    """`min` pods, and up to `max` while their CPU is busier than `cpu_percent` of what they requested."""

    min: int
    max: int
    cpu_percent: int = 70

    @property
    def fixed(self) -> bool:
        """Whether nothing scales it."""
        return self.min == self.max


@dataclass(frozen=True)
class Volume:
    """A disk of each pod's own, which outlives the pod."""

    size_gib: int
    path: str
    """Where the container finds it."""


class Access(StrEnum):
    """What may be done with objects of a bucket."""

    READ = "read"
    """And list."""
    WRITE = "write"
    REMOVE = "remove"
    """Delete, and neither read nor write."""
    MANAGE = "manage"
    """Read, write and delete."""


@dataclass(frozen=True)
class BucketAccess:
    """One of `BUCKETS`; `prefix` (of keys, such as `originals`) narrows it."""

    bucket: str
    access: Access = Access.READ
    prefix: str = ""


@dataclass(frozen=True)
class Slo:
    """What users may rely on, over 30 days."""

    availability_percent: float
    latency_ms: int
    """99 of 100 requests (for a stream: records) are done within."""


class Authentication(StrEnum):
    """What the gateway asks for before it lets a request through."""

    REQUIRED = "required"
    """A valid token, on every request."""
    OPTIONAL = "optional"
    """A token that is there must be valid; a request without one passes as nobody's."""


@dataclass(frozen=True)
class Route:
    """Paths of the public API that lead to the service. The gateway's configuration is made from these."""

    prefixes: tuple[str, ...]
    """Whole path components: `/v1/pins` leads `/v1/pins` and `/v1/pins/7` here, not `/v1/pinsetters`."""
    timeout_seconds: float = 5
    """Of the whole request, retries included."""
    requests_per_second: int = 1000
    """Of everybody together, at each gateway pod."""
    requests_per_minute_each: int = 600
    """Of one identity; of one address where nobody is signed in."""
    max_body_bytes: int = 64 * 1024
    authentication: Authentication = Authentication.OPTIONAL
    """REQUIRED only where every method needs a person: the service itself knows which of its methods do."""


@dataclass(frozen=True)
class Service:
    """One deployable. Raises DeclarationError for what cannot be right by itself; see `declarations` for the rest."""

    name: str
    """As its Deployment, its Service, its role and its metrics are called."""
    owner: str
    """The team that is called at night."""
    image: str
    """The repository `pinwheel/<image>`."""
    slo: Slo
    resources: Resources
    replicas: Replicas
    role: tuple[str, ...] = ()
    """The container's arguments."""
    prepare: tuple[str, ...] = ()
    """Arguments of a container of the same image that must end well before the first starts."""
    ports: tuple[Port, ...] = ()
    volume: Volume | None = None
    """With one it is a StatefulSet, without a Deployment."""
    database: str | None = None
    """In Aurora, with a user of its own. Services of one image may share it, others may not."""
    reads: tuple[str, ...] = ()
    """Kafka topics."""
    consumer_group: str | None = None
    """Which the readers of `reads` share their partitions in; None: each reads what it assigns itself."""
    writes: tuple[str, ...] = ()
    buckets: tuple[BucketAccess, ...] = ()
    queue: str | None = None
    """The SQS queues `pinwheel-<environment>-<queue>-<priority>` that it sends jobs to and works on."""
    secrets: tuple[str, ...] = ()
    """Further secrets `pinwheel/<environment>/<name>`, as files below `/var/run/secrets/pinwheel/<name>/`."""
    gpu_pool: str | None = None
    """One GPU (or time slice) of the pool of this name; on CPU in environments without such a pool."""
    calls: tuple[str, ...] = ()
    """Names of the services it talks to; nobody else lets it in."""
    routes: tuple[Route, ...] = ()
    edge: bool = False
    """The gateway: the load balancer leads to it, and it may call every service that has routes."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables beside those that `configuration` derives."""
    shutdown_seconds: int = 30
    """From SIGTERM to SIGKILL."""
    temporary_mib: int = 512
    """Disk below `/tmp`, the one place where a pod without a volume may write."""

    def __post_init__(self) -> None:
        """Refuses what is wrong in itself."""
        self._check_names()
        self._check_size()
        self._check_data()
        self._check_traffic()

    def port(self) -> Port:
        """What callers connect to. Raises DeclarationError for a service that answers nothing."""
        if not self.ports:
            raise self._refused(
                "has no ports, so nothing can call it", "`ports=(Port.HTTP,)` or (Port.GRPC,)"
            )
        return self.ports[0]

    def _check_names(self) -> None:
        for kind, name in (("name", self.name), ("owner", self.owner), ("image", self.image)):
            if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
                raise self._refused(
                    f"{kind} {name!r} is {len(name)} characters",
                    f"lower-case letters, digits and hyphens, beginning with a letter, at most {MAX_NAME}",
                )
        for variable in self.variables:
            if not _VARIABLE.fullmatch(variable):
                raise self._refused(f"variable {variable!r}", "upper-case letters, digits and underscores")

    def _check_size(self) -> None:
        size = self.resources
        if min(size.cpu_millis, size.memory_mib) <= 0 or size.memory_limit_mib < size.memory_mib:
            raise self._refused(f"{size}", "requests above 0, and a memory limit no less than the request")
        count = self.replicas
        if not 0 <= count.min <= count.max or count.max > 0 == count.min:
            raise self._refused(f"{count}", "min <= max, and min above 0 where max is")
        if not 0 < count.cpu_percent <= 100:  # noqa: PLR2004 - per cent
            raise self._refused(f"{count}", "a target of 1 to 100 per cent of the requested CPU")
        if self.volume is not None and (self.volume.size_gib <= 0 or not self.volume.path.startswith("/")):
            raise self._refused(f"{self.volume}", "a size above 0 and an absolute path")
        if not 0 < self.slo.availability_percent < 100 or self.slo.latency_ms <= 0:  # noqa: PLR2004 - per cent
            raise self._refused(f"{self.slo}", "an availability below 100 % and a latency above 0")

    def _check_data(self) -> None:
        for topic in (*self.reads, *self.writes):
            if topic not in _TOPICS:
                raise self._refused(
                    f"topic {topic!r} is not declared",
                    f"one of {', '.join(sorted(_TOPICS))}, or a new one in infra/data/catalogue.py",
                )
        if self.consumer_group is not None and not self.reads:
            raise self._refused(f"consumer group {self.consumer_group!r} reads nothing", "topics in `reads`")
        for access in self.buckets:
            if access.bucket not in BUCKETS:
                raise self._refused(f"bucket {access.bucket!r} is not one", f"one of {', '.join(BUCKETS)}")
            if access.prefix.strip("/") != access.prefix:
                raise self._refused(f"prefix {access.prefix!r}", "a prefix without slashes at its ends")
        for name in (*self.secrets, *((self.queue,) if self.queue is not None else ())):
            if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
                raise self._refused(f"queue or secret {name!r}", f"a name of at most {MAX_NAME} characters")

    def _check_traffic(self) -> None:
        if self.name in self.calls:
            raise self._refused("calls itself", "`calls` without its own name")
        if self.routes:
            if Port.HTTP not in self.ports:
                raise self._refused("has routes and no HTTP port", "`ports=(Port.HTTP,)`")
            if self.edge:
                raise self._refused("is the edge and has routes", "routes at the services behind it")
        for route in self.routes:
            if not route.prefixes:
                raise self._refused("has a route without prefixes", "at least one, such as `/v1/pins`")
            for prefix in route.prefixes:
                if not _PREFIX.fullmatch(prefix):
                    raise self._refused(
                        f"prefix {prefix!r}", "a path such as `/v1/pins`, without a slash at its end"
                    )
            limits = (route.timeout_seconds, route.requests_per_second, route.requests_per_minute_each)
            if min(*limits, route.max_body_bytes) <= 0:
                raise self._refused(f"{route}", "a timeout, rates and a body limit above 0")
        if self.shutdown_seconds < MIN_SHUTDOWN:
            raise self._refused(f"shutdown_seconds {self.shutdown_seconds}", f"at least {MIN_SHUTDOWN}")

    def _refused(self, wrong: str, right: str) -> DeclarationError:
        return DeclarationError(f"service {self.name!r}: {wrong}; right would be: {right}")


def address(service: str, port: Port, namespace: str = NAMESPACE) -> str:
    """Where other pods of the cluster reach a service: `pin.pinwheel.svc.cluster.local:8080`."""
    return f"{service}.{namespace}.svc.cluster.local:{port.number}"


Sized = TypeVar("Sized")


def sized(environment: Environment, *, small: Sized, full: Sized) -> Sized:
    """What goes with the environment's `workloads.size`."""
    return full if environment.workloads.size == "full" else small
