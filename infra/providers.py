"""The providers of a stack, explicit so that account, region, tags and endpoints come from the environment."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra.contracts import ClusterContract
from infra.environment import Environment

_SERVICES = (
    "appautoscaling", "backup", "budgets", "cloudwatch", "cloudwatchlogs", "cognitoidp", "ec2", "ecr", "eks",
    "events", "glue", "iam", "kafka", "kafkaconnect", "kms", "lambda_", "rds", "route53", "s3", "secretsmanager",
    "sns", "sqs", "ssm", "sts",
)  # fmt: skip


def aws_provider(environment: Environment) -> aws.Provider:
    """The AWS provider: refuses another account, tags everything, and leads to the emulator for `local`."""
    default_tags = aws.ProviderDefaultTagsArgs(tags=environment.all_tags)
    if environment.emulator is None:
        return aws.Provider(
            "aws",
            region=environment.region,
            default_tags=default_tags,
            allowed_account_ids=[environment.account],
        )
    endpoint = environment.emulator.endpoint
    endpoints = {
        **dict.fromkeys(_SERVICES, endpoint),
        # The tags of buckets: asked of `<account>.<host>`, a name that no resolver has below an address.
        "s3control": endpoint.replace("127.0.0.1", "localhost"),
    }
    return aws.Provider(
        "aws",
        region=environment.region,
        default_tags=default_tags,
        endpoints=[aws.ProviderEndpointArgs(**endpoints)],
        access_key="AKIAREHEARSALONLY000",  # the emulator takes any; the provider insists on some
        secret_key=pulumi.Output.secret("rehearsal-only-secret-access-key-00000000"),
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
    )


def kubernetes_provider(
    environment: Environment, cluster: ClusterContract, options: pulumi.ResourceOptions | None = None
) -> kubernetes.Provider:
    """A provider that authenticates as the caller's own AWS identity, by a short-lived token.

    `cluster_identifier` keeps a changed endpoint or certificate from replacing every object in the cluster
    (pulumi-kubernetes#2745). Not `delete_unreachable`: whoever refreshed from outside the VPN would lose every
    object from the state, while nodes run on that nobody knows (pulumi-kubernetes#1485). For a cluster that is
    really gone there is the variable PULUMI_K8S_DELETE_UNREACHABLE=true.
    """
    kubeconfig = pulumi.Output.all(cluster.name, cluster.endpoint, cluster.certificate_authority).apply(
        lambda values: _kubeconfig(environment.region, *values)
    )
    return kubernetes.Provider(
        "kubernetes",
        kubeconfig=kubeconfig,
        cluster_identifier=environment.resource_name("cluster"),
        enable_server_side_apply=True,
        opts=options,
    )


def _kubeconfig(region: str, name: str, endpoint: str, certificate_authority: str) -> str:
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", name],
        "interactiveMode": "Never",
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority},
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [{"name": name, "user": {"exec": command}}],
        }
    )
