"""A user name and a generated password in Secrets Manager."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.environment import Environment

PASSWORD_LENGTH = 40
"""Letters and digits only: some 238 bits, and nothing that SQL, JAAS or a URL would have to quote."""


@dataclass(frozen=True)
class CredentialArgs:
    """`secret_name` is the secret's full name; `details` go into it beside `username` and `password`."""

    environment: Environment
    secret_name: str
    description: str
    username: str
    key: aws.kms.Key
    details: Mapping[str, pulumi.Input[str | int]] = field(default_factory=dict)


class Credential(pulumi.ComponentResource):
    """The secret's ARN is what goes around; who needs the password reads it from Secrets Manager."""

    def __init__(self, name: str, args: CredentialArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Credential", name, None, opts)
        environment = args.environment
        password = random.RandomPassword(
            name, length=PASSWORD_LENGTH, special=False, opts=pulumi.ResourceOptions(parent=self)
        )
        self.secret = aws.secretsmanager.Secret(
            name,
            name=args.secret_name,
            description=args.description,
            kms_key_id=args.key.arn,
            # 0 lets a test environment that is created anew take the same name again.
            recovery_window_in_days=30 if environment.protect else 0,
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect),
        )
        content = {"username": args.username, "password": password.result, **args.details}
        self.version = aws.secretsmanager.SecretVersion(
            name,
            secret_id=self.secret.id,
            secret_string=pulumi.Output.secret(pulumi.Output.json_dumps(content)),
            opts=pulumi.ResourceOptions(parent=self.secret),
        )
        self.username = args.username
        self.secret_name = args.secret_name
        self.register_outputs({"secret_arn": self.secret.arn})
