"""Synthetic services, to see how a rehearsal's cost grows.

Each is a Deployment, a role, a repository, a database and an alarm.
"""

import json

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import iam, providers
from infra.contracts import ClusterContract, NetworkContract, read
from infra.environment import Environment
from rehearsal.rehearse import Program

RESOURCES_EACH = 5


def services(count: int) -> Program:
    """A program that declares `count` services on top of the environment's layers."""

    def run(environment: Environment) -> None:
        under_aws = pulumi.ResourceOptions(provider=providers.aws_provider(environment))
        cluster = read(ClusterContract, environment.name)
        network = read(NetworkContract, environment.name)
        in_cluster = pulumi.ResourceOptions(provider=providers.kubernetes_provider(environment, cluster))
        group = aws.rds.SubnetGroup(
            "synthetic",
            name=environment.resource_name("synthetic"),
            subnet_ids=network.intra_subnet_ids,
            opts=under_aws,
        )
        for index in range(count):
            _service(environment, f"service-{index:04}", group, under_aws, in_cluster)

    return run


def _service(
    environment: Environment,
    name: str,
    subnet_group: aws.rds.SubnetGroup,
    under_aws: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> None:
    full_name = environment.resource_name(name)
    aws.iam.Role(
        name, name=full_name, assume_role_policy=iam.pod_identity_trust(environment.account), opts=under_aws
    )
    repository = aws.ecr.Repository(
        name,
        name=f"pinwheel/{name}",
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
        opts=under_aws,
    )
    database = aws.rds.Instance(
        name,
        identifier=full_name,
        engine="mysql",
        instance_class="db.r7g.large",
        allocated_storage=20,
        username="service",
        manage_master_user_password=True,
        storage_encrypted=True,
        db_subnet_group_name=subnet_group.name,
        skip_final_snapshot=True,
        opts=under_aws,
    )
    aws.cloudwatch.MetricAlarm(
        name,
        name=f"{full_name}-cpu",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=3,
        metric_name="CPUUtilization",
        namespace="AWS/RDS",
        period=60,
        statistic="Average",
        threshold=80,
        dimensions={"DBInstanceIdentifier": database.identifier},
        opts=under_aws,
    )
    kubernetes.apps.v1.Deployment(
        name,
        metadata={"name": name, "namespace": "default", "labels": {"app": name}},
        spec={
            "replicas": 2,
            "selector": {"match_labels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {
                            "name": "service",
                            "image": repository.repository_url.apply(lambda url: f"{url}:1"),
                            "env": [{"name": "SETTINGS", "value": json.dumps({"service": name})}],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "128Mi"},
                                "limits": {"memory": "256Mi"},
                            },
                        }
                    ]
                },
            },
        },
        opts=in_cluster,
    )
