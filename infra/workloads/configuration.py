"""What a service reads from its environment: all that follows from its declaration, in one ConfigMap."""

import hashlib
import json
from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from infra.workloads import secrets
from infra.workloads.platform import Platform
from infra.workloads.service import OPERATIONS_PORT, Service

DATABASE_CA_FILE = "/etc/ssl/rds/global-bundle.pem"
"""The certificate authorities of Aurora, in images that use a database (`services/pin/Dockerfile`)."""

_GRACE_MARGIN_SECONDS = 5
"""Between a service's own end and the kubelet's SIGKILL."""


def config_map(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> tuple[kubernetes.core.v1.ConfigMap, pulumi.Output[str]]:
    """The ConfigMap `<service>`, and a checksum that changes with it."""
    data = variables(service, platform)
    made = kubernetes.core.v1.ConfigMap(
        service.name,
        metadata={
            "name": service.name,
            "namespace": platform.namespace,
            "labels": {"app.kubernetes.io/name": service.name},
        },
        data=data,
        opts=options,
    )
    return made, checksum(data)


def checksum(data: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """SHA-256 of the texts: on the pods, it makes a changed ConfigMap start new ones."""
    return pulumi.Output.all(**data).apply(
        lambda texts: hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()
    )


def variables(service: Service, platform: Platform) -> dict[str, pulumi.Input[str]]:
    """Name -> value. What the service itself declares comes last and wins."""
    environment = platform.environment
    found: dict[str, pulumi.Input[str]] = {
        "SERVICE_NAME": service.name,
        "ENVIRONMENT": environment.name,
        "AWS_REGION": environment.region,
        "AWS_DEFAULT_REGION": environment.region,  # boto3 reads this one only
        "LOG_LEVEL": "info",
        "OPERATIONS_PORT": str(OPERATIONS_PORT),
        "SHUTDOWN_GRACE_SECONDS": str(service.shutdown_seconds - _GRACE_MARGIN_SECONDS),
    }
    for port in service.ports:
        found[f"{port.name}_PORT"] = str(port.number)
    if service.reads or service.writes:
        found["KAFKA_BOOTSTRAP_SERVERS"] = platform.data.kafka_bootstrap_brokers_iam
        found["KAFKA_SECURITY_PROTOCOL"] = "SASL_SSL"
    for secret in secrets.secrets_of(service, environment):
        found[f"{secret.folder.upper().replace('-', '_')}_SECRET_FILE"] = secret.file
    if service.database is not None:
        found["DATABASE_CA_FILE"] = DATABASE_CA_FILE
    for access in service.buckets:
        found[f"{access.bucket.upper()}_BUCKET"] = platform.storage[access.bucket].bucket.bucket.bucket
    if service.queue is not None:
        found["JOBS_QUEUE_PREFIX"] = platform.queues[service.queue].prefix
    return {**found, **service.variables}
