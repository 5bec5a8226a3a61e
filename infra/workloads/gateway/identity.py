"""The people who use the API: a Cognito user pool, and the one app client whose access tokens the gateway takes."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.environment import Environment
from infra.workloads.gateway.inputs import Identity

ACCESS_TOKEN_MINUTES = 60
"""A token is believed until it expires, whatever becomes of its owner meanwhile."""
_REFRESH_TOKEN_DAYS = 30
_PASSWORD_LENGTH = 12


@dataclass(frozen=True)
class UserPoolArgs:
    """Where."""

    environment: Environment


class UserPool(pulumi.ComponentResource):
    """People sign up with an e-mail address; what they are known by is the pool's `sub`, which never changes.

    `issuer` and `client_id` are what an access token must name.
    """

    def __init__(self, name: str, args: UserPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:UserPool", name, None, opts)
        environment = args.environment
        beneath = pulumi.ResourceOptions(parent=self)
        self.pool = aws.cognito.UserPool(
            name,
            name=environment.resource_name("people"),
            user_pool_tier="ESSENTIALS",
            username_attributes=["email"],
            username_configuration={"case_sensitive": False},
            auto_verified_attributes=["email"],
            account_recovery_setting={
                "recovery_mechanisms": [{"name": "verified_email", "priority": 1}],
            },
            # Length is what counts; NIST SP 800-63B, 5.1.1.2.
            password_policy={
                "minimum_length": _PASSWORD_LENGTH,
                "require_lowercase": False,
                "require_uppercase": False,
                "require_numbers": False,
                "require_symbols": False,
                "temporary_password_validity_days": 3,
            },
            mfa_configuration="OPTIONAL",
            software_token_mfa_configuration={"enabled": True},
            deletion_protection="ACTIVE" if environment.protect else "INACTIVE",
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect),
        )
        self.client = aws.cognito.UserPoolClient(
            name,
            name=environment.resource_name("api"),
            user_pool_id=self.pool.id,
            generate_secret=False,  # browsers and phones cannot keep one
            # People prove that they know their password without sending it (SRP). The last flow sends it, and is
            # open to who has IAM's cognito-idp:AdminInitiateAuth only: tests, load tests, runbooks.
            explicit_auth_flows=[
                "ALLOW_USER_SRP_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
            ],
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            supported_identity_providers=["COGNITO"],
            access_token_validity=ACCESS_TOKEN_MINUTES,
            id_token_validity=ACCESS_TOKEN_MINUTES,
            refresh_token_validity=_REFRESH_TOKEN_DAYS,
            token_validity_units={
                "access_token": "minutes",
                "id_token": "minutes",
                "refresh_token": "days",
            },
            opts=beneath,
        )
        self.pool_id: pulumi.Output[str] = self.pool.id
        self.client_id: pulumi.Output[str] = self.client.id
        self.issuer = pulumi.Output.concat("https://", self.pool.endpoint)
        self.register_outputs({"issuer": self.issuer, "client_id": self.client_id})

    @property
    def identity(self) -> pulumi.Output[Identity]:
        """What the gateway's configuration needs of it."""
        return pulumi.Output.all(self.issuer, self.client_id).apply(lambda values: Identity(*values))
