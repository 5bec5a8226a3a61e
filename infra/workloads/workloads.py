"""The services of one namespace, and what the namespace gives them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from infra.contracts import ClusterContract, DataContract
from infra.environment import Environment
from infra.workloads import network_policy, secrets
from infra.workloads.platform import Files, JobQueues, Platform, Storage
from infra.workloads.service import Service
from infra.workloads.workload import Workload

SECRET_STORE = "secrets-manager"  # noqa: S105 - its name


@dataclass(frozen=True)
class WorkloadsArgs:
    """See `Platform`; `after` is what every object of the namespace waits for."""

    environment: Environment
    namespace: str
    services: Sequence[Service]
    cluster: ClusterContract
    data: DataContract
    repositories: Mapping[str, pulumi.Output[str]]
    storage: Mapping[str, Storage]
    queues: Mapping[str, JobQueues]
    files: Mapping[str, Files] = field(default_factory=dict[str, Files])
    after: Sequence[pulumi.Resource] = ()


class Workloads(pulumi.ComponentResource):
    """A namespace that lets in nothing but restricted pods, denies all traffic, and holds `services`."""

    def __init__(self, name: str, args: WorkloadsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:Workloads", name, None, opts)
        beneath = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        namespace = kubernetes.core.v1.Namespace(
            args.namespace,
            metadata={
                "name": args.namespace,
                "labels": {
                    f"pod-security.kubernetes.io/{mode}": "restricted"
                    for mode in ("enforce", "audit", "warn")
                },
            },
            opts=beneath,
        )
        within = pulumi.ResourceOptions(parent=self, depends_on=[namespace, *args.after])
        denied = network_policy.deny_all("deny-all", args.namespace, within)
        store = secrets.secret_store(SECRET_STORE, args.namespace, args.environment.region, within)
        platform = Platform(
            environment=args.environment,
            namespace=args.namespace,
            services=args.services,
            cluster=args.cluster,
            data=args.data,
            repositories=args.repositories,
            storage=args.storage,
            queues=args.queues,
            secret_store=SECRET_STORE,
            files=args.files,
            after=[namespace, denied, store],
        )
        for service in args.services:
            Workload(service, platform, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
