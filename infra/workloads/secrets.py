"""Secrets reach pods through the External Secrets Operator: it copies them from Secrets Manager as they change.

The other way, the CSI driver, needs a hostPath volume in every pod, which Pod Security forbids. The operator's
own identity reads exactly the secrets that services declare, and nobody else's does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra import iam
from infra.contracts import ClusterContract, DataContract
from infra.eks import versions
from infra.eks.addons import ON_SYSTEM_NODES
from infra.eks.pod_identity import PodIdentity, PodIdentityArgs
from infra.environment import PROJECT, Environment
from infra.workloads.platform import Platform
from infra.workloads.service import Service

OPERATOR = "external-secrets"
"""The operator's chart, namespace, service account and release."""

API_VERSION = "external-secrets.io/v1"
CHARTS = "https://charts.external-secrets.io"
REFRESH = "1m"
"""How old a rotated password may be in a pod. The old one is refused at once: services read it again."""

MOUNT = "/var/run/secrets/pinwheel"
CREDENTIAL_FILE = "credential.json"
DATABASE = "database"


@dataclass(frozen=True)
class ServiceSecret:
    """A secret of Secrets Manager as a service sees it: a folder with the whole of it as one file."""

    folder: str
    name: str
    """Of the ExternalSecret and of the Secret that it makes."""
    remote_name: str

    @property
    def file(self) -> str:
        """Its path in the container."""
        return f"{MOUNT}/{self.folder}/{CREDENTIAL_FILE}"


def secrets_of(service: Service, environment: Environment) -> list[ServiceSecret]:
    """The database's credential, if there is one, and the other secrets that the service names."""
    below = f"{PROJECT}/{environment.name}"
    found = [
        ServiceSecret(secret, f"{service.name}-{secret}", f"{below}/{secret}") for secret in service.secrets
    ]
    if service.database is not None:
        database = ServiceSecret(DATABASE, f"{service.name}-database", f"{below}/database/{service.database}")
        found.insert(0, database)
    return found


@dataclass(frozen=True)
class OperatorArgs:
    """Which secrets it may read: those of `services`. `after` is what every Kubernetes object waits for."""

    environment: Environment
    cluster: ClusterContract
    data: DataContract
    services: Sequence[Service]
    after: Sequence[pulumi.Resource]


class Operator(pulumi.ComponentResource):
    """The External Secrets Operator, with an identity that reads what `services` declare and nothing else."""

    def __init__(self, name: str, args: OperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:Operator", name, None, opts)
        beneath = pulumi.ResourceOptions(parent=self)
        namespace = kubernetes.core.v1.Namespace(
            OPERATOR,
            metadata={"name": OPERATOR, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        identity = PodIdentity(
            OPERATOR,
            PodIdentityArgs(
                environment=args.environment,
                cluster_name=args.cluster.name,
                namespace=OPERATOR,
                service_account=OPERATOR,
                description="The External Secrets Operator reads what services declare",
                statements=_reads(args),
            ),
            beneath,
        )
        self.release = kubernetes.helm.v3.Release(
            OPERATOR,
            name=OPERATOR,
            chart=OPERATOR,
            version=versions.EXTERNAL_SECRETS,
            namespace=OPERATOR,
            repository_opts={"repo": CHARTS},
            values={
                "installCRDs": True,
                "serviceAccount": {"name": OPERATOR},
                # Only namespaced stores are ours: no store of one namespace may serve another.
                "processClusterStore": False,
                "processClusterExternalSecret": False,
                "processPushSecret": False,
                "replicaCount": 2,
                "leaderElect": True,
                **ON_SYSTEM_NODES,
                "webhook": ON_SYSTEM_NODES,
                "certController": ON_SYSTEM_NODES,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace, identity]),
        )
        self.register_outputs({})


def _reads(args: OperatorArgs) -> list[iam.Statement]:
    environment = args.environment
    secrets = f"arn:aws:secretsmanager:{environment.region}:{environment.account}:secret"
    databases = sorted({each.database for each in args.services if each.database is not None})
    names = sorted({name for each in args.services for name in each.secrets})
    arns: list[pulumi.Input[str]] = [
        *(args.data.database_secret_arns.apply(lambda arns, name=name: arns[name]) for name in databases),
        # Secrets Manager puts six characters behind the names of secrets that others made.
        *(f"{secrets}:{PROJECT}/{environment.name}/{name}-??????" for name in names),
    ]
    if not arns:
        return []
    return [
        iam.allow(
            ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], arns, sid="ReadSecrets"
        ),
        iam.allow(
            ["kms:Decrypt"],
            [args.data.database_credentials_key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"secretsmanager.{environment.region}.amazonaws.com"}
            },
            sid="DecryptSecrets",
        ),
    ]


def secret_store(
    name: str, namespace: str, region: str, options: pulumi.ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    """The namespace's store: Secrets Manager, asked with the operator's own identity."""
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version=API_VERSION,
        kind="SecretStore",
        metadata={"name": name, "namespace": namespace},
        spec={"provider": {"aws": {"service": "SecretsManager", "region": region}}},
        opts=options,
    )


def external_secret(
    secret: ServiceSecret, platform: Platform, options: pulumi.ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    """The copy of one secret: a Kubernetes Secret with the whole of it under one key."""
    return kubernetes.apiextensions.CustomResource(
        secret.name,
        api_version=API_VERSION,
        kind="ExternalSecret",
        metadata={
            "name": secret.name,
            "namespace": platform.namespace,
            # A pod that starts before its Secret is there waits for minutes between two tries.
            "annotations": {"pulumi.com/waitFor": "condition=Ready"},
        },
        spec={
            "refreshInterval": REFRESH,
            "secretStoreRef": {"name": platform.secret_store, "kind": "SecretStore"},
            "target": {"name": secret.name, "creationPolicy": "Owner"},
            "data": [{"secretKey": CREDENTIAL_FILE, "remoteRef": {"key": secret.remote_name}}],
        },
        opts=options,
    )
