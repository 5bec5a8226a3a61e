"""What the services find on the platform: the things that exist once, and that many of them refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pulumi

from infra.contracts import ClusterContract, DataContract
from infra.data.bucket import PrivateBucket
from infra.environment import Environment
from infra.workloads.service import Service


@dataclass(frozen=True)
class Storage:
    """A bucket and the key that its objects are encrypted with."""

    bucket: PrivateBucket
    key_arn: pulumi.Output[str]


@dataclass(frozen=True)
class JobQueues:
    """The queues of one kind of job."""

    prefix: str
    """What all their names begin with."""
    arns: Sequence[pulumi.Output[str]]
    """The priorities' and the dead-letter queue's."""


@dataclass(frozen=True)
class Files:
    """A ConfigMap's files, mounted as a folder: configuration that is no variable."""

    folder: str
    contents: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Platform:
    """Of one environment and one namespace."""

    environment: Environment
    namespace: str
    services: Sequence[Service]
    """All of the namespace: who may call whom is read from here."""
    cluster: ClusterContract
    data: DataContract
    repositories: Mapping[str, pulumi.Output[str]]
    """Image -> URL of its repository, without a tag."""
    storage: Mapping[str, Storage]
    """By the names in `service.BUCKETS`."""
    queues: Mapping[str, JobQueues]
    """By the names that services give them."""
    secret_store: str
    """The SecretStore of the namespace."""
    files: Mapping[str, Files] = field(default_factory=dict[str, Files])
    """By service."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before any service, and outlive it: namespace, policies, operator."""

    @cached_property
    def callers(self) -> Mapping[str, Sequence[str]]:
        """Service -> those that may call it: who says so, and the edge where there are routes."""
        found: dict[str, list[str]] = {service.name: [] for service in self.services}
        for service in self.services:
            for callee in self.callees[service.name]:
                found[callee.name].append(service.name)
        return found

    @cached_property
    def callees(self) -> Mapping[str, Sequence[Service]]:
        """Service -> those that it may call."""
        by_name = {service.name: service for service in self.services}
        routed = [service for service in self.services if service.routes]
        return {
            service.name: [
                *(by_name[name] for name in service.calls),
                *(each for each in routed if service.edge and each.name not in service.calls),
            ]
            for service in self.services
        }
