"""The pods of a service: one container that runs as nobody, writes nowhere but its own folders, and is watched."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PodSpecArgsDict,
    PodTemplateSpecArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
    VolumeArgsDict,
    VolumeMountArgsDict,
)

from infra.environment import PROJECT
from infra.gpu_nodes.pool import GpuScheduling
from infra.workloads import secrets
from infra.workloads.platform import Platform
from infra.workloads.service import OPERATIONS_PORT, Service

USER = 10001
"""Nobody on the node; the images' own USER."""

VOLUME = "data"
_STARTUP_SECONDS = 600
"""A leaf reads its snapshot before it lives; a first model is fetched."""


def template(service: Service, platform: Platform, checksum: pulumi.Input[str]) -> PodTemplateSpecArgsDict:
    """What a Deployment or StatefulSet makes pods from."""
    return {
        "metadata": {
            "labels": labels(service),
            "annotations": {
                "pinwheel.io/configuration": checksum,
                # Annotations, not PodMonitors: any collector reads them, and they need no operator.
                "prometheus.io/scrape": "true",
                "prometheus.io/port": str(OPERATIONS_PORT),
                "prometheus.io/path": "/metrics",
            },
        },
        "spec": _spec(service, platform),
    }


def labels(service: Service) -> dict[str, str]:
    """Of the pods and of what makes them."""
    return {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/part-of": PROJECT,
        "pinwheel.io/image": service.image,
        "pinwheel.io/owner": service.owner,
    }


def _spec(service: Service, platform: Platform) -> PodSpecArgsDict:
    main = _container(service.name, service.role, service, platform)
    main["ports"] = [
        *({"name": port.value, "container_port": port.number} for port in service.ports),
        {"name": "operations", "container_port": OPERATIONS_PORT},
    ]
    main["startup_probe"] = _probe("/livez", period=2, failures=_STARTUP_SECONDS // 2)
    main["liveness_probe"] = _probe("/livez", period=10, failures=3)
    main["readiness_probe"] = _probe("/readyz", period=3, failures=2)
    spec: PodSpecArgsDict = {
        "service_account_name": service.name,
        "automount_service_account_token": False,
        # A variable for each of a thousand Services would slow every start, and nobody reads them.
        "enable_service_links": False,
        "termination_grace_period_seconds": service.shutdown_seconds,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": USER,
            "run_as_group": USER,
            "fs_group": USER,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "topology_spread_constraints": _spread(service),
        "containers": [main],
        "volumes": _volumes(service, platform),
    }
    if service.prepare:
        spec["init_containers"] = [_container("prepare", service.prepare, service, platform)]
    gpu = _gpu(service, platform)
    if gpu is not None:
        spec["node_selector"] = gpu.node_selector
        spec["tolerations"] = [gpu.taint.toleration()]
        main["resources"] = _resources(service, gpu.resources())
    return spec


def _gpu(service: Service, platform: Platform) -> GpuScheduling | None:
    pools = {pool.name: pool for pool in platform.environment.cluster.gpu_pools}
    wanted = pools.get(service.gpu_pool or "")
    return None if wanted is None else GpuScheduling(wanted)


def _container(
    name: str, arguments: Sequence[str], service: Service, platform: Platform
) -> ContainerArgsDict:
    repository = platform.repositories[service.image]
    container: ContainerArgsDict = {
        "name": name,
        "image": pulumi.Output.concat(repository, ":", platform.environment.workloads.image_tag),
        "env_from": [{"config_map_ref": {"name": service.name}}],
        "env": [_of_pod("POD_IP", "status.podIP"), _of_pod("POD_NAME", "metadata.name")],
        "resources": _resources(service, {}),
        "security_context": _RESTRICTED,
        "volume_mounts": _mounts(service, platform),
    }
    if arguments:
        container["args"] = list(arguments)
    return container


def _resources(service: Service, devices: dict[str, str]) -> ResourceRequirementsArgsDict:
    size = service.resources
    return {
        "requests": {"cpu": f"{size.cpu_millis}m", "memory": f"{size.memory_mib}Mi", **devices},
        "limits": {"memory": f"{size.memory_limit_mib}Mi", **devices},
    }


def _of_pod(variable: str, field: str) -> EnvVarArgsDict:
    return {"name": variable, "value_from": {"field_ref": {"field_path": field}}}


def _probe(path: str, *, period: int, failures: int) -> ProbeArgsDict:
    return {
        "http_get": {"path": path, "port": "operations"},
        "period_seconds": period,
        "failure_threshold": failures,
        "timeout_seconds": 2,
    }


def _spread(service: Service) -> list[TopologySpreadConstraintArgsDict]:
    """Over zones and over nodes, as far as there are some: a pod in the wrong zone beats none."""
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": "ScheduleAnyway",
            "label_selector": {"match_labels": {"app.kubernetes.io/name": service.name}},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _volumes(service: Service, platform: Platform) -> list[VolumeArgsDict]:
    volumes: list[VolumeArgsDict] = [
        {"name": _secret_volume(secret), "secret": {"secret_name": secret.name}}
        for secret in secrets.secrets_of(service, platform.environment)
    ]
    volumes.append({"name": "tmp", "empty_dir": {"size_limit": f"{service.temporary_mib}Mi"}})
    if service.name in platform.files:
        volumes.append({"name": "files", "config_map": {"name": files_name(service)}})
    return volumes


def _mounts(service: Service, platform: Platform) -> list[VolumeMountArgsDict]:
    mounts: list[VolumeMountArgsDict] = [{"name": "tmp", "mount_path": "/tmp"}]  # noqa: S108 - the container's own
    for secret in secrets.secrets_of(service, platform.environment):
        folder = f"{secrets.MOUNT}/{secret.folder}"
        mounts.append({"name": _secret_volume(secret), "mount_path": folder, "read_only": True})
    if service.name in platform.files:
        folder = platform.files[service.name].folder
        mounts.append({"name": "files", "mount_path": folder, "read_only": True})
    if service.volume is not None:
        mounts.append({"name": VOLUME, "mount_path": service.volume.path})
    return mounts


def files_name(service: Service) -> str:
    """The ConfigMap of a service's files, beside that of its variables."""
    return f"{service.name}-files"


def _secret_volume(secret: secrets.ServiceSecret) -> str:
    return f"secret-{secret.folder}"


_RESTRICTED: SecurityContextArgsDict = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
