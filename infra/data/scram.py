"""A Kafka user and password for every service, for clients that cannot authenticate by IAM."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption, iam
from infra.data.credential import Credential, CredentialArgs
from infra.environment import Environment
from infra.workloads import declarations

SECRET_PREFIX = "AmazonMSK_"  # noqa: S105 - MSK takes only secrets whose name starts so, under a customer key


@dataclass(frozen=True)
class ScramUsersArgs:
    """The cluster that knows them."""

    environment: Environment
    cluster: aws.msk.Cluster


class ScramUsers(pulumi.ComponentResource):
    """`credentials` by service. The association goes before the secret and before the cluster."""

    def __init__(self, name: str, args: ScramUsersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:ScramUsers", name, None, opts)
        environment = args.environment
        key = encryption.key(environment, "kafka-credentials", options=pulumi.ResourceOptions(parent=self))
        self.credentials: dict[str, Credential] = {}
        for service in declarations.kafka_users(environment):
            credential = Credential(
                f"kafka-{service}",
                CredentialArgs(
                    environment=environment,
                    secret_name=SECRET_PREFIX + environment.resource_name(service),
                    description=f"Kafka user {service} (SCRAM-SHA-512)",
                    username=service,
                    key=key,
                ),
                pulumi.ResourceOptions(parent=self),
            )
            readable = aws.secretsmanager.SecretPolicy(
                f"kafka-{service}",
                secret_arn=credential.secret.arn,
                policy=iam.document(_brokers_read(credential.secret.arn)),
                block_public_policy=True,
                opts=pulumi.ResourceOptions(parent=credential),
            )
            aws.msk.SingleScramSecretAssociation(
                f"kafka-{service}",
                cluster_arn=args.cluster.arn,
                secret_arn=credential.secret.arn,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[readable, credential.version]),
            )
            self.credentials[service] = credential
        self.register_outputs(
            {"secret_arns": {name: credential.secret.arn for name, credential in self.credentials.items()}}
        )


def _brokers_read(secret_arn: pulumi.Input[str]) -> iam.Statement:
    """The very statement that MSK attaches when it associates a secret, and forbids to change.

    Hence no condition on the account. Source: MSK developer guide, "Set up SASL/SCRAM authentication".
    """
    return iam.allow(
        ["secretsmanager:getSecretValue"],
        [secret_arn],
        principal={"Service": "kafka.amazonaws.com"},
        sid="AWSKafkaResourcePolicy",
    )
