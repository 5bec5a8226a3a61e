"""The bootstrap function, against a Data API that remembers the SQL it was given."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.database_bootstrap.handler import (
    RESUME_ATTEMPTS,
    BootstrapError,
    Statements,
    carry_out,
    parsed,
)

PASSWORD = "Zq8" * 10
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:pinwheel/prod/database/pin-AbCdEf"


@dataclass
class DataApi:
    """Takes any SQL; fails with `errors`, one a call, until none is left."""

    errors: list[ClientError] = field(default_factory=list[ClientError])
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    attempts: int = 0

    def execute_statement(self, **arguments: Any) -> dict[str, Any]:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        self.calls.append(arguments)
        return {"numberOfRecordsUpdated": 0}

    @property
    def sql(self) -> list[str]:
        return [call["sql"] for call in self.calls]


@dataclass
class Secrets:
    """One secret, whatever its ARN."""

    content: dict[str, Any]

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        return {"SecretString": json.dumps(self.content)}


def event(action: str = "create", **changes: Any) -> dict[str, Any]:
    lifecycle = {"action": action, "prev_input": changes.pop("prev_input", None)}
    asked = {"user": "pin", "access": "service", "databases": ["pin"], "secret_arn": SECRET}
    return {**asked, **changes, "tf": lifecycle}


def run(
    asked: dict[str, Any],
    api: DataApi,
    content: dict[str, Any] | None = None,
    pauses: list[float] | None = None,
) -> dict[str, Any]:
    request = parsed(asked)
    secrets = Secrets(content or {"username": request.user, "password": PASSWORD})
    paused = [] if pauses is None else pauses
    return carry_out(request, Statements(api, "cluster-arn", "master-arn", paused.append), secrets)


def error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ExecuteStatement")


def test_a_service_gets_a_database_and_a_user_that_reaches_only_it():
    api = DataApi()
    result = run(event(), api)
    database, created, changed, granted = api.sql
    assert database == "CREATE DATABASE IF NOT EXISTS `pin`"
    assert created == f"CREATE USER IF NOT EXISTS 'pin'@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"
    assert changed == f"ALTER USER 'pin'@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"
    assert granted.startswith("GRANT SELECT, INSERT,")
    assert granted.endswith("ON `pin`.* TO 'pin'@'%'")
    assert result == {"action": "create", "user": "pin", "databases": ["pin"]}
    assert {(call["resourceArn"], call["secretArn"]) for call in api.calls} == {("cluster-arn", "master-arn")}


def test_the_same_event_again_runs_the_same_statements():
    first, second = DataApi(), DataApi()
    run(event("create"), first)
    run(event("update", prev_input=event()), second)
    assert first.sql == second.sql


def test_debezium_reads_the_binlog_and_the_captured_databases_and_makes_none():
    api = DataApi()
    run(
        event(user="debezium", access="replication", databases=["pin", "search"], binlog_retention_hours=72),
        api,
    )
    assert not any(statement.startswith("CREATE DATABASE") for statement in api.sql)
    assert api.sql[2:] == [
        "GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD, SHOW DATABASES ON *.* TO 'debezium'@'%'",
        "GRANT SELECT, LOCK TABLES ON `pin`.* TO 'debezium'@'%'",
        "GRANT SELECT, LOCK TABLES ON `search`.* TO 'debezium'@'%'",
        "CALL mysql.rds_set_configuration('binlog retention hours', 72)",
    ]


def test_delete_removes_the_user_and_keeps_the_data():
    api = DataApi()
    run(event("delete"), api)
    assert api.sql == ["DROP USER IF EXISTS 'pin'@'%'"]


def test_a_renamed_user_leaves_no_predecessor_behind():
    api = DataApi()
    run(event("update", user="pins", prev_input=event(user="pin")), api)
    assert api.sql[-1] == "DROP USER IF EXISTS 'pin'@'%'"


def test_an_underscore_in_a_grant_is_no_wildcard():
    api = DataApi()
    run(event(databases=["pin_a"]), api)
    assert r"ON `pin\_a`.*" in api.sql[-1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"user": "pin'@'%' --"}, "user"),
        ({"user": "Pin"}, "user"),
        ({"user": "p" * 33}, "user"),
        ({"user": None}, "user"),
        ({"databases": ["pin`; DROP"]}, "database"),
        ({"databases": []}, "databases"),
        ({"databases": "pin"}, "databases"),
        ({"access": "admin"}, "access"),
        ({"binlog_retention_hours": "72"}, "binlog_retention_hours"),
        ({"binlog_retention_hours": 2161}, "binlog_retention_hours"),
        ({"prev_input": {"user": "x y"}}, "former user"),
    ],
)
def test_what_could_be_more_than_a_name_is_refused_before_any_sql(changes: dict[str, Any], named: str):
    api = DataApi()
    with pytest.raises(BootstrapError, match=f"^{named} "):
        run(event(**changes), api)
    assert api.sql == []


def test_an_unknown_action_is_refused():
    with pytest.raises(BootstrapError, match="must be create, update or delete"):
        parsed(event("destroy"))


def test_the_secret_of_another_user_is_refused():
    api = DataApi()
    with pytest.raises(BootstrapError, match="is of user 'ml', not 'pin'"):
        run(event(), api, {"username": "ml", "password": PASSWORD})
    assert not any("USER" in statement for statement in api.sql)


@pytest.mark.parametrize("password", ["", "short", "it's'quoted'" * 3, PASSWORD + "\n"])
def test_a_password_that_sql_would_have_to_escape_is_refused(password: str):
    with pytest.raises(BootstrapError, match="letters and digits") as raised:
        run(event(), DataApi(), {"username": "pin", "password": password})
    assert password not in str(raised.value) or password == ""


def test_a_paused_database_is_waited_for():
    api, pauses = DataApi(errors=[error("DatabaseResumingException")] * 3), list[float]()
    run(event("delete"), api, pauses=pauses)
    assert api.sql == ["DROP USER IF EXISTS 'pin'@'%'"]
    assert len(pauses) == 3


def test_a_database_that_never_wakes_is_reported():
    api = DataApi(errors=[error("DatabaseResumingException", "is resuming")] * 100)
    with pytest.raises(BootstrapError, match="is resuming"):
        run(event("delete"), api)
    assert api.attempts == RESUME_ATTEMPTS


def test_no_error_shows_the_password(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]):
    """MySQL quotes the statement that it does not understand."""
    caplog.set_level(logging.DEBUG)
    refusal = error("BadRequestException", f"syntax error near '{PASSWORD}' REQUIRE SSL")
    api = DataApi()
    statements = Statements(api, "cluster-arn", "master-arn")
    api.errors = [refusal]
    with pytest.raises(BootstrapError, match=r"syntax error near '\*\*\*'") as raised:
        statements(f"ALTER USER 'pin'@'%' IDENTIFIED BY '{PASSWORD}'", secret=PASSWORD)
    assert PASSWORD not in str(raised.value)
    assert raised.value.__suppress_context__  # Lambda prints the chain of errors
    assert PASSWORD not in caplog.text + "".join(capsys.readouterr())


def test_no_result_shows_the_password():
    assert PASSWORD not in json.dumps(run(event(), DataApi()))
