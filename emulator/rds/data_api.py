"""The RDS Data API over the real servers: SQL by HTTP, with the credential of a secret.

Statements run outside of the emulator's one lock: they may wait for one another. A statement in no transaction
is committed at once. Without a server nothing is claimed to have been run: InvalidResourceStateException.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pymysql
from moto.core.responses import ActionResult
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from emulator.later import Answer, AnswerLater
from emulator.operations import OperationError, Operations, new_uuid
from emulator.rds import backend, real
from emulator.rds.database_server import DatabaseServer
from emulator.rds.mariadb import MariaDbError
from emulator.rds.real import Credential
from emulator.rds.statements import batch, error_of, execute, options_of_connection

START_SECONDS: Final = 40.0
"""How long a call waits for a server that is starting; clients give up after a minute."""
TRANSACTION_SECONDS: Final = 180.0
"""A transaction is rolled back when no call used it for so long. Source: Aurora user guide, "Using RDS Data API"."""

backend.install()


@dataclass
class Session:
    """One call's target: a cluster's server and the user that the secret names."""

    arn: str
    server: DatabaseServer
    user: Credential
    database: str | None

    def connect(self, *, autocommit: bool) -> Any:
        """A connection for this call, when the server serves; errors are the Data API's."""
        try:
            self.server.wait(START_SECONDS)
            return self.server.connect(
                self.user, self.database, autocommit=autocommit, **options_of_connection()
            )
        except MariaDbError as error:
            raise OperationError("DatabaseUnavailableException", str(error)) from None
        except pymysql.MySQLError as error:
            raise error_of(error) from None


@dataclass
class Transaction:
    """An open transaction; one statement runs in it at a time."""

    session: Session
    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    used: float = field(default_factory=time.monotonic)


class Transactions:
    """The open transactions, by id."""

    def __init__(self) -> None:
        self._open: dict[str, Transaction] = {}
        self._lock = threading.Lock()

    def add(self, identity: str, transaction: Transaction) -> None:
        """Keep a new one, and let those go that nobody used for long."""
        now = time.monotonic()
        with self._lock:
            self._open[identity] = transaction
            old = [key for key, each in self._open.items() if now - each.used > TRANSACTION_SECONDS]
            for key in old:
                self._open.pop(key).connection.close()

    def get(self, identity: str, arn: str, *, end: bool = False) -> Transaction:
        """The transaction of that id on that cluster; forgotten when it is to `end`."""
        with self._lock:
            found = self._open.get(identity)
            expired = found and time.monotonic() - found.used > TRANSACTION_SECONDS
            if found is None or expired or found.session.arn != arn:
                raise OperationError("TransactionNotFoundException", f"Transaction {identity} is not found")
            found.used = time.monotonic()
            return self._open.pop(identity) if end else found


_transactions: Final = Transactions()


class DataApi(Operations):
    """The operations. Each looks up what it needs, and is answered when the lock is released."""

    service: ClassVar[str] = "rds-data"
    invalid_code: ClassVar[str] = "BadRequestException"

    def execute_statement(self) -> Any:
        """One statement."""
        session, params = self._session(), self.params
        self._later(lambda: self._run(session, lambda connection: execute(connection, params)))

    def batch_execute_statement(self) -> Any:
        """One statement with several sets of parameters."""
        session, params = self._session(), self.params
        self._later(lambda: self._run(session, lambda connection: batch(connection, params)))

    def begin_transaction(self) -> Any:
        """A transaction; the calls that name it run in it."""
        session, identity = self._session(), new_uuid()

        def begin() -> dict[str, Any]:
            connection = session.connect(autocommit=False)
            _transactions.add(identity, Transaction(session, connection))
            return {"transactionId": identity}

        self._later(begin)

    def commit_transaction(self) -> Any:
        """Ends a transaction and keeps its changes."""
        self._end("Transaction Committed", lambda connection: connection.commit())

    def rollback_transaction(self) -> Any:
        """Ends a transaction without its changes."""
        self._end("Rollback Complete", lambda connection: connection.rollback())

    def _end(self, status: str, how: Callable[[Any], None]) -> None:
        session, identity = self._session(), self.params["transactionId"]

        def end() -> dict[str, Any]:
            transaction = _transactions.get(identity, session.arn, end=True)
            with transaction.lock:
                try:
                    how(transaction.connection)
                except pymysql.MySQLError as error:
                    raise error_of(error) from None
                finally:
                    _close(transaction.connection)
            return {"transactionStatus": status}

        self._later(end)

    def _run(self, session: Session, work: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        identity = self.params.get("transactionId")
        if identity:
            transaction = _transactions.get(identity, session.arn)
            if session.database and session.database != transaction.session.database:
                reason = "Database name is not the same as transaction's database"
                raise OperationError("BadRequestException", reason)
            with transaction.lock:
                return work(transaction.connection)
        connection = session.connect(autocommit=True)
        try:
            return work(connection)
        finally:
            _close(connection)

    def _later(self, work: Callable[[], dict[str, Any]]) -> None:
        def answer() -> Answer:
            try:
                return self.serialized(ActionResult(work()))  # pyright: ignore[reportReturnType]
            except OperationError as error:
                return self.refusal(error)

        raise AnswerLater(answer)

    # What RDS and Secrets Manager know.

    def _session(self) -> Session:
        arn = self.params["resourceArn"]
        clusters: Any = rds_backends[self.current_account][self.region].clusters.values()
        cluster = next((each for each in clusters if each.db_cluster_arn == arn), None)
        if cluster is None:
            raise OperationError("DatabaseNotFoundException", f"DBCluster not found: {arn}")
        name = cluster.db_cluster_identifier
        if not cluster.enable_http_endpoint:
            raise OperationError(
                "HttpEndpointNotEnabledException", f"HttpEndpoint is not enabled for cluster {name}"
            )
        if not cluster.members:
            raise OperationError("DatabaseNotFoundException", f"The DB cluster {name} has no DB instance.")
        servers = real.servers()
        running = servers.of(cluster.url_identifier) if servers else None
        if running is None:
            raise OperationError(
                "InvalidResourceStateException",
                f"no MySQL server stands behind the emulated DB cluster {name}",
            )
        return Session(arn, running, self._credential(), self.params.get("database"))

    def _credential(self) -> Credential:
        arn = self.params["secretArn"]
        secrets: Any = secretsmanager_backends[self.current_account][self.region].secrets
        found = secrets.get(arn) if arn in secrets else None
        if found is None or found.is_deleted():
            raise OperationError(
                "SecretsErrorException", f"Secrets Manager can't find the specified secret {arn}"
            )
        version = found.versions.get(found.default_version_id) or {}
        try:
            content = json.loads(version.get("secret_string") or "")
            return Credential(str(content["username"]), str(content["password"]))
        except (ValueError, TypeError, KeyError):
            raise OperationError(
                "InvalidSecretException", f"the secret {arn} must be a JSON object with username and password"
            ) from None


def _close(connection: Any) -> None:
    try:
        connection.close()
    except pymysql.MySQLError:  # closed already, by the server
        return
