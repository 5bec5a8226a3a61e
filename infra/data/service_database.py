"""A database and a user for every service, and a user for change data capture.

Aurora's databases and users are no AWS resources, so a small function makes them by SQL through the RDS Data
API (`functions/database_bootstrap`). It is told which secret to read, never a password.
"""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra import encryption, iam, logs
from infra.data.aurora import Aurora
from infra.data.catalogue import CAPTURED_TABLES
from infra.data.credential import Credential, CredentialArgs
from infra.environment import PROJECT, Environment
from infra.workloads import declarations

REPLICATION_USER = "debezium"
BINLOG_RETENTION = 72
"""Hours that Aurora keeps binlogs: how long the connector may be down without a new snapshot."""

_HANDLER = Path(__file__).parents[2] / "functions" / "database_bootstrap" / "handler.py"


@dataclass(frozen=True)
class ServiceDatabasesArgs:
    """The cluster that holds them."""

    environment: Environment
    aurora: Aurora
    log_key: aws.kms.Key


class ServiceDatabases(pulumi.ComponentResource):
    """`credentials` by database; `replication` is Debezium's. Users go with this component, databases stay."""

    def __init__(
        self, name: str, args: ServiceDatabasesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:data:ServiceDatabases", name, None, opts)
        self._args = args
        self.key = encryption.key(
            args.environment, "database-credentials", options=pulumi.ResourceOptions(parent=self)
        )
        self.credentials = {
            name: self._credential(name, database=name) for name in declarations.databases(args.environment)
        }
        self.replication = self._credential(REPLICATION_USER)
        self._function, self._permitted = self._bootstrap()
        created = [
            self._user(credential, {"access": "service", "databases": [service]})
            for service, credential in self.credentials.items()
        ]
        self._user(
            self.replication,
            {
                "access": "replication",
                "databases": list(CAPTURED_TABLES),
                "binlog_retention_hours": BINLOG_RETENTION,
            },
            after=created,
        )
        self.register_outputs(
            {"secret_arns": {name: credential.secret.arn for name, credential in self.credentials.items()}}
        )

    def _credential(self, user: str, *, database: str | None = None) -> Credential:
        cluster = self._args.aurora.cluster
        details = {"engine": "mysql", "host": cluster.endpoint, "port": cluster.port}
        return Credential(
            f"database-{user}",
            CredentialArgs(
                environment=self._args.environment,
                secret_name=f"{PROJECT}/{self._args.environment.name}/database/{user}",
                description=f"Aurora MySQL user {user}",
                username=user,
                key=self.key,
                details=details if database is None else {**details, "dbname": database},
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _bootstrap(self) -> tuple[aws.lambda_.Function, aws.iam.RolePolicy]:
        """The function and the policy that must outlive every call of it."""
        environment, aurora = self._args.environment, self._args.aurora
        name = environment.resource_name("database-bootstrap")
        beneath = pulumi.ResourceOptions(parent=self)
        log_group = logs.log_group(
            "database-bootstrap",
            name=f"/aws/lambda/{name}",
            retention_days=environment.cluster.log_retention,
            key=self._args.log_key,
            options=beneath,
        )
        role = iam.role(
            "database-bootstrap",
            name=name,
            description="Makes databases and users in Aurora through the Data API",
            trust_policy=iam.trust("lambda.amazonaws.com"),
            options=beneath,
        )
        secrets = [each.secret.arn for each in (*self.credentials.values(), self.replication)]
        policy = aws.iam.RolePolicy(
            "database-bootstrap",
            name=name,
            role=role.name,
            policy=iam.document(
                iam.allow(["rds-data:ExecuteStatement"], [aurora.cluster.arn]),
                iam.allow(["secretsmanager:GetSecretValue"], [aurora.master_secret_arn, *secrets]),
                iam.allow(["kms:Decrypt"], [aurora.master_key.arn, self.key.arn]),
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"], [pulumi.Output.concat(log_group.arn, ":*")]
                ),
            ),
            opts=pulumi.ResourceOptions(parent=role),
        )
        function = aws.lambda_.Function(
            "database-bootstrap",
            name=name,
            description="Makes databases and users in Aurora through the Data API",
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            handler="handler.handler",
            # The text and not the file: a path of this machine would be part of the resource's inputs.
            code=pulumi.AssetArchive({"handler.py": pulumi.StringAsset(_HANDLER.read_text("utf-8"))}),
            role=role.arn,
            timeout=300,  # seconds; a paused Serverless database takes a while to wake
            memory_size=256,
            environment=aws.lambda_.FunctionEnvironmentArgs(
                variables={"CLUSTER_ARN": aurora.cluster.arn, "MASTER_SECRET_ARN": aurora.master_secret_arn}
            ),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON", log_group=log_group.name),
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        return function, policy

    def _user(
        self,
        credential: Credential,
        request: dict[str, object],
        *,
        after: list[aws.lambda_.Invocation] | None = None,
    ) -> aws.lambda_.Invocation:
        """Calls the function when the user is declared, changes its password or goes.

        The password's version is part of the input, which is updated in place. As a `trigger` it would replace
        the call: create the user anew, then delete the "old" one of the same name. Whatever else replaces it
        must delete first for the same reason. Its SQL needs a running instance: instances are made before it
        and deleted after it.
        """
        return aws.lambda_.Invocation(
            f"user-{credential.username}",
            function_name=self._function.name,
            lifecycle_scope="CRUD",
            input=pulumi.Output.json_dumps(
                {
                    "user": credential.username,
                    "secret_arn": credential.secret.arn,
                    "password_version": credential.version.version_id,
                    **request,
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                depends_on=[
                    *self._args.aurora.instances,
                    self._permitted,
                    credential.version,
                    *(after or []),
                ],
            ),
        )
