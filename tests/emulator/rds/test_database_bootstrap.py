"""The project's own bootstrap function, really run, makes databases and users that services log in with."""

import json
from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from emulator.rds.real import Credential
from infra.data import service_database
from rehearsal import adapters
from rehearsal.adapters import Order
from rehearsal.cloud import Cloud as Rehearsed
from rehearsal.cloud import Created, Refused
from tests.emulator.rds.conftest import ACCOUNT, REGION, Aurora, rows

pytestmark = pytest.mark.xdist_group("mysql")

PASSWORD = "ServicePassword1234567890"
Play = Callable[..., Created]


@pytest.fixture(scope="module")
def play(aurora: Aurora) -> Play:
    """`play(type, **inputs)` creates a resource as a rehearsal does."""
    adapters.load()
    rehearsed = Rehearsed(aurora.cloud.emulator.endpoint, ACCOUNT, REGION)

    def create(token: str, **inputs: Any) -> Created:
        found = adapters.find(token)
        assert found is not None
        with rehearsed.acting_for(f"urn:{token}::{json.dumps(inputs, default=str)}"):
            return found(Order(rehearsed, token, "thing", "urn", inputs, {}))
        raise AssertionError

    return create


@pytest.fixture(scope="module")
def bootstrap(aurora: Aurora, play: Play) -> str:
    """The name of the function, with its own code."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = play(
        "aws:iam/role:Role", assumeRolePolicy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    target = aurora.target
    code = service_database._HANDLER.read_text()  # pyright: ignore[reportPrivateUsage]
    return play(
        "aws:lambda/function:Function",
        name="bootstrap",
        role=role.outputs["arn"],
        runtime="python3.13",
        handler="handler.handler",
        timeout=300,
        code={"assets": {"handler.py": {"text": code}}},
        environment={
            "variables": {"CLUSTER_ARN": target["resourceArn"], "MASTER_SECRET_ARN": target["secretArn"]}
        },
    ).id


@pytest.fixture(scope="module")
def new_user(aurora: Aurora, play: Play, bootstrap: str) -> Callable[..., Created]:
    """`new_user("pin", ["pin"])` has the function make a user whose password is in a new secret."""

    def create(user: str, databases: list[str], **more: Any) -> Created:
        secret = aurora.cloud.client("secretsmanager").create_secret(
            Name=f"database/{user}", SecretString=json.dumps({"username": user, "password": PASSWORD})
        )
        request = {
            "access": "service",
            "user": user,
            "databases": databases,
            "secret_arn": secret["ARN"],
            **more,
        }
        return play(
            "aws:lambda/invocation:Invocation",
            functionName=bootstrap,
            lifecycleScope="CRUD",
            input=json.dumps(request),
        )

    return create


@pytest.fixture(scope="module")
def services(new_user: Callable[..., Created]) -> dict[str, Created]:
    return {name: new_user(name, [name]) for name in ("pin", "search")}


def test_the_functions_result_is_the_invocations(services: dict[str, Created]) -> None:
    result = json.loads(services["pin"].outputs["result"])
    assert result == {"action": "create", "user": "pin", "databases": ["pin"]}


@pytest.mark.usefixtures("services")
def test_a_service_works_on_its_own_database(aurora: Aurora) -> None:
    with aurora.connect(Credential("pin", PASSWORD), "pin", autocommit=True) as connection:
        rows(connection, "CREATE TABLE pins (id INT PRIMARY KEY, title VARCHAR(100))")
        rows(connection, "INSERT INTO pins VALUES (1, 'an idea 📌')")
        assert rows(connection, "SELECT * FROM pins") == [(1, "an idea 📌")]
        assert rows(connection, "SHOW DATABASES") == [("information_schema",), ("pin",)]


@pytest.mark.usefixtures("services")
def test_a_service_is_refused_on_anothers(aurora: Aurora) -> None:
    with aurora.connect(Credential("search", PASSWORD), "search") as connection:
        for forbidden, codes in (
            ("USE pin", {1044}),
            ("SELECT * FROM pin.pins", {1142}),
            ("CREATE DATABASE searches", {1044}),
            ("SELECT * FROM mysql.global_priv", {1142}),
            ("CALL mysql.rds_kill(1)", {1370}),
        ):
            with pytest.raises(pymysql.MySQLError) as refusal:
                rows(connection, forbidden)
            assert refusal.value.args[0] in codes, forbidden
    for wrong in (Credential("pin", "guessed"), Credential("pin", "")):
        with pytest.raises(pymysql.OperationalError) as refusal:
            aurora.connect(wrong)
        assert refusal.value.args[0] == 1045
    with pytest.raises(pymysql.OperationalError):
        aurora.connect(Credential("pin", PASSWORD), ssl_ca=None, ssl_disabled=True)


@pytest.mark.usefixtures("services")
def test_the_capture_user_reads_the_binlog(aurora: Aurora, new_user: Callable[..., Created]) -> None:
    new_user("debezium", ["pin"], access="replication", binlog_retention_hours=72)
    with aurora.connect(Credential("debezium", PASSWORD)) as connection:
        ((file, *_),) = rows(connection, "SHOW MASTER STATUS")
        assert file.startswith("binlog.")
        assert rows(connection, "SELECT @@GLOBAL.expire_logs_days") == [(3,)]


def test_a_function_that_fails_fails_the_resource(new_user: Callable[..., Created]) -> None:
    with pytest.raises(Refused) as refusal:
        new_user("Not-A-Name", ["pin"])
    (problem,) = refusal.value.problems
    assert problem.property == "input"
    assert "BootstrapError: user 'Not-A-Name': must start with a letter" in problem.reason
    assert PASSWORD not in str(refusal.value)
