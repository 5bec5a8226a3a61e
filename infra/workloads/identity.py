"""What a service may do in AWS: a role of its own, by Pod Identity, with what it declared and nothing else."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra import iam
from infra.eks.pod_identity import PodIdentity, PodIdentityArgs
from infra.workloads.platform import Platform
from infra.workloads.service import Access, BucketAccess, Service

_READ = ("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData")
_WRITE = ("kafka-cluster:DescribeTopic", "kafka-cluster:WriteData")
_WORK = (
    "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
    "sqs:ReceiveMessage", "sqs:SendMessage",
)  # fmt: skip
_OBJECTS = {
    Access.READ: ("s3:GetObject",),
    Access.WRITE: ("s3:AbortMultipartUpload", "s3:PutObject"),
    Access.REMOVE: ("s3:DeleteObject",),
    Access.MANAGE: ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
}
_READING = (Access.READ, Access.MANAGE)
_WRITING = (Access.WRITE, Access.MANAGE)


def needs_aws(service: Service) -> bool:
    """Whether it talks to AWS at all; who does not gets no role."""
    return bool(service.reads or service.writes or service.buckets or service.queue)


def service_account(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The account that its pods run as, without a token of Kubernetes, and the role that goes with it."""
    account = kubernetes.core.v1.ServiceAccount(
        service.name,
        metadata={
            "name": service.name,
            "namespace": platform.namespace,
            "labels": {"app.kubernetes.io/name": service.name},
        },
        automount_service_account_token=False,
        opts=options,
    )
    if not needs_aws(service):
        return [account]
    role = PodIdentity(
        service.name,
        PodIdentityArgs(
            environment=platform.environment,
            cluster_name=platform.cluster.name,
            namespace=platform.namespace,
            service_account=service.name,
            description=f"Service {service.name} of {service.owner}",
            statements=statements(service, platform),
        ),
        options,
    )
    return [account, role]


def statements(service: Service, platform: Platform) -> list[iam.Statement]:
    """The policy of a service's role."""
    found = _kafka(service, platform)
    for place, access in enumerate(service.buckets):
        found += _bucket(access, place, platform)
    found += _keys(service, platform)
    if service.queue is not None:
        found.append(iam.allow(_WORK, platform.queues[service.queue].arns, sid="WorkOnJobs"))
    return found


def _kafka(service: Service, platform: Platform) -> list[iam.Statement]:
    """Source: MSK developer guide, "Authorization policy actions and resources"."""
    cluster = platform.data.kafka_cluster_arn
    found: list[iam.Statement] = []
    if service.reads or service.writes:
        # Idempotent producers register themselves with the cluster.
        connect = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster"]
        if service.writes:
            connect.append("kafka-cluster:WriteDataIdempotently")
        found.append(iam.allow(connect, [cluster], sid="ConnectToKafka"))
    for sid, actions, topics in (
        ("ReadTopics", _READ, service.reads),
        ("WriteTopics", _WRITE, service.writes),
    ):
        if topics:
            arns = [_kafka_arn(cluster, "topic", topic) for topic in topics]
            found.append(iam.allow(actions, arns, sid=sid))
    if service.reads and service.consumer_group is None:
        # librdkafka looks for the coordinator of a group even where it never joins one.
        arns = [_kafka_arn(cluster, "group", f"{service.name}-*")]
        found.append(iam.allow(["kafka-cluster:DescribeGroup"], arns, sid="LookForGroup"))
    if service.consumer_group is not None:
        found.append(
            iam.allow(
                ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"],
                [_kafka_arn(cluster, "group", service.consumer_group)],
                sid="JoinGroup",
            )
        )
    return found


def _kafka_arn(cluster: pulumi.Output[str], kind: str, name: str) -> pulumi.Output[str]:
    return cluster.apply(lambda arn: f"{arn.replace(':cluster/', f':{kind}/', 1)}/{name}")


def _bucket(access: BucketAccess, place: int, platform: Platform) -> list[iam.Statement]:
    arn = platform.storage[access.bucket].bucket.bucket.arn
    keys = f"/{access.prefix}/*" if access.prefix else "/*"
    found = [iam.allow(_OBJECTS[access.access], [pulumi.Output.concat(arn, keys)], sid=f"Objects{place}")]
    if access.access in _READING:
        # Without it S3 answers 403 instead of 404 for what is not there.
        only = {"StringLike": {"s3:prefix": [f"{access.prefix}/*"]}} if access.prefix else None
        found.append(iam.allow(["s3:ListBucket"], [arn], conditions=only, sid=f"List{place}"))
    return found


def _keys(service: Service, platform: Platform) -> list[iam.Statement]:
    """The keys of its buckets, through S3 only."""
    via = {"StringEquals": {"kms:ViaService": f"s3.{platform.environment.region}.amazonaws.com"}}
    reads = {each.bucket for each in service.buckets if each.access in _READING}
    writes = {each.bucket for each in service.buckets if each.access in _WRITING}
    found: list[iam.Statement] = []
    for sid, actions, buckets in (
        # Decrypt for writing, too: the parts of a multipart upload are put together again.
        ("DecryptObjects", ["kms:Decrypt"], reads - writes),
        ("EncryptObjects", ["kms:Decrypt", "kms:GenerateDataKey"], writes),
    ):
        if buckets:
            arns = [platform.storage[bucket].key_arn for bucket in sorted(buckets)]
            found.append(iam.allow(actions, arns, conditions=via, sid=sid))
    return found
