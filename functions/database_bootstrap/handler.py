"""Makes a service's database and user in Aurora MySQL through the RDS Data API.

Called by Pulumi (`aws.lambda.Invocation`, scope CRUD) when a user is declared, changed or removed. The event
names the user, its databases and the secret with its password; the password itself is read here and appears
in no event, result, log or error. Every statement may be repeated: running the same event twice changes
nothing. Databases are never dropped.
"""

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""MySQL allows user names of 32 characters; more letters would need quoting rules that nobody needs."""

PASSWORD = re.compile(r"[A-Za-z0-9]{16,128}")
"""As `infra/data/credential.py` makes them: nothing to escape in a string literal."""

SERVICE_PRIVILEGES = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES",
    "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE",
)  # fmt: skip
"""On its own database: what an application and its schema migrations do."""

REPLICATION_PRIVILEGES = ("REPLICATION SLAVE", "REPLICATION CLIENT", "RELOAD", "SHOW DATABASES")
CAPTURE_PRIVILEGES = ("SELECT", "LOCK TABLES")
"""Global and per captured database. Source: Debezium reference, MySQL connector, "Creating a user". Aurora
grants nobody a global read lock, so the first snapshot locks tables instead."""

MAX_BINLOG_RETENTION = 2160
"""Hours: Aurora MySQL 3 keeps binlogs for 90 days at most."""

RESUME_ATTEMPTS = 12
RESUME_PAUSE = 10.0
"""Seconds between attempts while a paused Serverless database wakes."""


class BootstrapError(Exception):
    """Why the event could not be carried out, without any secret in it."""


@dataclass(frozen=True)
class Request:
    """What an event asks for."""

    action: str
    """`create`, `update` or `delete`."""
    access: str
    """`service`: its own databases. `replication`: the binlog, and reading the captured databases."""
    user: str
    former_user: str | None
    """The user that an update replaces, when its name changed."""
    databases: tuple[str, ...]
    secret_arn: str
    binlog_retention_hours: int | None


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Lambda's entry point; raises BootstrapError, which fails the deployment with its message."""
    request = parsed(event)
    secrets, statements = boto3.client("secretsmanager"), boto3.client("rds-data")
    run = Statements(statements, os.environ["CLUSTER_ARN"], os.environ["MASTER_SECRET_ARN"])
    return carry_out(request, run, secrets)


def parsed(event: dict[str, Any]) -> Request:
    """The event, checked: names become part of SQL, so nothing but plain identifiers passes."""
    lifecycle = event.get("tf", {})
    action = lifecycle.get("action", "create")
    if action not in ("create", "update", "delete"):
        raise BootstrapError(f"action {action!r}: must be create, update or delete")
    access = event.get("access")
    if access not in ("service", "replication"):
        raise BootstrapError(f"access {access!r}: must be service or replication")
    databases = event.get("databases")
    if not isinstance(databases, list) or not databases:
        raise BootstrapError(f"databases {databases!r}: must be a list of at least one name")
    hours = event.get("binlog_retention_hours")
    if hours is not None and not (isinstance(hours, int) and 1 <= hours <= MAX_BINLOG_RETENTION):
        raise BootstrapError(
            f"binlog_retention_hours {hours!r}: must be a whole number from 1 to {MAX_BINLOG_RETENTION}"
        )
    user = _identifier("user", event.get("user"))
    former = (lifecycle.get("prev_input") or {}).get("user", user)
    return Request(
        action=action,
        access=access,
        user=user,
        former_user=None if former == user else _identifier("former user", former),
        databases=tuple(_identifier("database", name) for name in databases),
        secret_arn=event.get("secret_arn", ""),
        binlog_retention_hours=hours,
    )


class Statements:
    """Runs SQL as the master user, whose password the Data API itself reads from its secret."""

    def __init__(
        self, client: Any, cluster_arn: str, secret_arn: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._target = {"resourceArn": cluster_arn, "secretArn": secret_arn}
        self._pause = pause

    def __call__(self, sql: str, *, secret: str | None = None) -> None:
        """Runs `sql`; waits for a paused database. What it raises never shows `secret`."""
        for attempt in range(RESUME_ATTEMPTS):
            try:
                self._client.execute_statement(**self._target, sql=sql, continueAfterTimeout=True)
            except ClientError as error:
                details = error.response.get("Error", {})
                if details.get("Code") == "DatabaseResumingException" and attempt < RESUME_ATTEMPTS - 1:
                    self._pause(RESUME_PAUSE)
                    continue
                raise BootstrapError(_without(secret, f"{details.get('Message')} in: {sql}")) from None
            return


def carry_out(request: Request, run: Statements, secrets: Any) -> dict[str, Any]:
    """Makes the world as `request` says; returns what was done."""
    if request.action == "delete":
        run(f"DROP USER IF EXISTS {_account(request.user)}")
    else:
        _create(request, run, _password(secrets, request))
    if request.former_user is not None:
        run(f"DROP USER IF EXISTS {_account(request.former_user)}")
    return {"action": request.action, "user": request.user, "databases": list(request.databases)}


def _create(request: Request, run: Statements, password: str) -> None:
    account = _account(request.user)
    identified = f"{account} IDENTIFIED BY '{password}' REQUIRE SSL"
    if request.access == "service":
        for database in request.databases:
            run(f"CREATE DATABASE IF NOT EXISTS `{database}`")
    run(f"CREATE USER IF NOT EXISTS {identified}", secret=password)
    run(f"ALTER USER {identified}", secret=password)  # an existing user gets the password of today
    if request.access == "service":
        privileges = SERVICE_PRIVILEGES
    else:
        privileges = CAPTURE_PRIVILEGES
        run(f"GRANT {', '.join(REPLICATION_PRIVILEGES)} ON *.* TO {account}")
    for database in request.databases:
        run(f"GRANT {', '.join(privileges)} ON `{_literally(database)}`.* TO {account}")
    if request.binlog_retention_hours is not None:
        # Aurora keeps no binlog for a reader it does not know unless it is told for how long.
        run(f"CALL mysql.rds_set_configuration('binlog retention hours', {request.binlog_retention_hours})")


def _password(secrets: Any, request: Request) -> str:
    content = json.loads(secrets.get_secret_value(SecretId=request.secret_arn)["SecretString"])
    if content.get("username") != request.user:
        raise BootstrapError(
            f"secret {request.secret_arn} is of user {content.get('username')!r}, not {request.user!r}"
        )
    password = content.get("password", "")
    if not PASSWORD.fullmatch(password):
        raise BootstrapError(
            f"secret {request.secret_arn}: the password must be 16 to 128 letters and digits, nothing else"
        )
    return password


def _identifier(what: str, name: object) -> str:
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise BootstrapError(
            f"{what} {name!r}: must start with a letter and hold 1 to 32 of a-z, 0-9 and _, as in `pin`"
        )
    return name


def _account(user: str) -> str:
    return f"'{user}'@'%'"


def _literally(database: str) -> str:
    """In a GRANT `_` matches any character: `pin_a` would open `pinza` too."""
    return database.replace("_", r"\_")


def _without(secret: str | None, text: str) -> str:
    return text if secret is None else text.replace(secret, "***")
