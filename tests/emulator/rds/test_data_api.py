"""SQL through the RDS Data API."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.emulator.rds.conftest import Aurora
from tests.emulator.refusal import refused
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("mysql")


@pytest.fixture
def table(aurora: Aurora, unique: Callable[[str], str]) -> str:
    name = f"first.{unique('pins')}"
    columns = (
        "id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(40), picture BLOB, saved DATETIME, open BOOLEAN,"
        " price DECIMAL(6,2), score DOUBLE, note TEXT"
    )
    aurora.sql(f"CREATE TABLE {name} ({columns})")
    return name


def named(**values: Any) -> list[dict[str, Any]]:
    """Parameters of the Data API: `named(x={"longValue": 1})`."""
    return [
        {"name": name, **({"value": value} if "value" not in value else value)}
        for name, value in values.items()
    ]


def ids(aurora: Aurora, table: str, **more: Any) -> list[int]:
    records = aurora.sql(f"SELECT id FROM {table} ORDER BY id", **more)["records"]
    return [row[0]["longValue"] for row in records]


def test_values_come_back_as_they_were_given(aurora: Aurora, table: str) -> None:
    done = aurora.sql(
        f"INSERT INTO {table} (title, picture, saved, open, price, score, note)"
        " VALUES (:title, :picture, :saved, :open, :price, :score, :note)",
        parameters=named(
            title={"stringValue": "it's \\ :title; ' OR 1=1 -- 📌"},
            picture={"blobValue": b"\x00\xff'\\"},
            saved={"value": {"stringValue": "2026-11-22 10:20:30"}, "typeHint": "TIMESTAMP"},
            open={"booleanValue": True},
            price={"value": {"stringValue": "12.50"}, "typeHint": "DECIMAL"},
            score={"doubleValue": 0.25},
            note={"isNull": True},
        ),
    )
    assert done["numberOfRecordsUpdated"] == 1
    assert done["generatedFields"] == [{"longValue": 1}]
    found = aurora.sql(f"SELECT * FROM {table}")
    assert found["records"] == [
        [
            {"longValue": 1},
            {"stringValue": "it's \\ :title; ' OR 1=1 -- 📌"},
            {"blobValue": b"\x00\xff'\\"},
            {"stringValue": "2026-11-22 10:20:30"},
            {"booleanValue": True},
            {"stringValue": "12.50"},
            {"doubleValue": 0.25},
            {"isNull": True},
        ]
    ]
    assert "columnMetadata" not in found


def test_columns_are_described_when_asked_for(aurora: Aurora, table: str) -> None:
    found = aurora.sql(f"SELECT id, title AS t, price, note FROM {table}", includeResultMetadata=True)
    assert found["records"] == []
    shown = [
        (each["name"], each["label"], each["typeName"], each["type"]) for each in found["columnMetadata"]
    ]
    assert shown == [
        ("id", "id", "INT", 4),
        ("title", "t", "VARCHAR", 12),
        ("price", "price", "DECIMAL", 3),
        ("note", "note", "TEXT", -1),
    ]
    first = found["columnMetadata"][0]
    assert (first["isAutoIncrement"], first["nullable"], first["isSigned"]) == (True, 0, True)


def test_results_come_in_the_form_asked_for(aurora: Aurora) -> None:
    options = {"decimalReturnType": "DOUBLE_OR_LONG", "longReturnType": "STRING"}
    found = aurora.sql("SELECT CAST(1.5 AS DECIMAL(4,1)), 7", resultSetOptions=options)
    assert found["records"] == [[{"doubleValue": 1.5}, {"stringValue": "7"}]]
    found = aurora.sql("SELECT 7 AS seven, 'x' AS x", formatRecordsAs="JSON")
    assert found["formattedRecords"] == '[{"seven": 7, "x": "x"}]'


def test_an_update_counts_the_rows_that_it_found(aurora: Aurora, table: str) -> None:
    aurora.sql(f"INSERT INTO {table} (title) VALUES ('a'), ('b')")
    assert aurora.sql(f"UPDATE {table} SET title = 'a'")["numberOfRecordsUpdated"] == 2


def test_a_batch_runs_once_for_each_set(aurora: Aurora, table: str) -> None:
    done = aurora.cloud.client("rds-data").batch_execute_statement(
        **aurora.target,
        sql=f"INSERT INTO {table} (title) VALUES (:t)",
        parameterSets=[named(t={"stringValue": title}) for title in "abc"],
    )
    assert [each["generatedFields"] for each in done["updateResults"]] == [
        [{"longValue": number}] for number in (1, 2, 3)
    ]
    assert ids(aurora, table) == [1, 2, 3]


def test_a_transaction_is_seen_by_others_when_it_is_committed(aurora: Aurora, table: str) -> None:
    data = aurora.cloud.client("rds-data")
    transaction = data.begin_transaction(**aurora.target)["transactionId"]
    aurora.sql(f"INSERT INTO {table} (title) VALUES ('a')", transactionId=transaction)
    assert ids(aurora, table) == []
    assert ids(aurora, table, transactionId=transaction) == [1]
    done = data.commit_transaction(**aurora.target, transactionId=transaction)
    assert done["transactionStatus"] == "Transaction Committed"
    assert ids(aurora, table) == [1]
    with refused("TransactionNotFoundException", transaction):
        data.commit_transaction(**aurora.target, transactionId=transaction)


def test_a_transaction_that_is_rolled_back_leaves_nothing(aurora: Aurora, table: str) -> None:
    data = aurora.cloud.client("rds-data")
    transaction = data.begin_transaction(**aurora.target, database="first")["transactionId"]
    with refused("BadRequestException", "transaction's database"):
        aurora.sql("SELECT 1", transactionId=transaction, database="mysql")
    aurora.sql(f"INSERT INTO {table} (title) VALUES ('a')", transactionId=transaction)
    done = data.rollback_transaction(**aurora.target, transactionId=transaction)
    assert done["transactionStatus"] == "Rollback Complete"
    assert ids(aurora, table) == []


def test_a_statement_that_waits_for_another_does_not_keep_the_emulator(aurora: Aurora, table: str) -> None:
    data = aurora.cloud.client("rds-data")
    aurora.sql(f"INSERT INTO {table} (title) VALUES ('a')")
    transaction = data.begin_transaction(**aurora.target)["transactionId"]
    aurora.sql(f"UPDATE {table} SET title = 'b'", transactionId=transaction)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(aurora.sql, f"UPDATE {table} SET title = CONCAT(title, 'c')")
        until(lambda: _waits(aurora))
        data.commit_transaction(**aurora.target, transactionId=transaction)
        assert waiting.result()["numberOfRecordsUpdated"] == 1
    assert aurora.sql(f"SELECT title FROM {table}")["records"] == [[{"stringValue": "bc"}]]


def _waits(aurora: Aurora) -> bool:
    sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%CONCAT%'"
    return aurora.sql(sql)["records"] == [[{"longValue": 1}]]


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"sql": "SELEC 1"}, "DatabaseErrorException", ("1064", "near 'SELEC 1'")),
        ({"sql": "SELECT * FROM first.nothing"}, "DatabaseErrorException", ("1146", "first.nothing")),
        ({"sql": "SELECT 1; SELECT 2"}, "DatabaseErrorException", ("1064",)),
        ({"sql": "SELECT 1", "database": "nothing"}, "DatabaseErrorException", ("1049", "nothing")),
        ({"sql": "SELECT :x"}, "BadRequestException", ("Cannot find parameter: x",)),
        (
            {"sql": "SELECT :x", "parameters": named(x={"arrayValue": {"longValues": [1]}})},
            "BadRequestException",
            ("Array parameters are not supported",),
        ),
        (
            {
                "sql": "SELECT :x",
                "parameters": named(x={"value": {"stringValue": "soon"}, "typeHint": "DATE"}),
            },
            "BadRequestException",
            ("'soon'", "DATE"),
        ),
        ({"sql": "SELECT REPEAT('x', 2000000)"}, "BadRequestException", ("size limit",)),
        ({"sql": "SELECT 1", "transactionId": "lost"}, "TransactionNotFoundException", ("lost",)),
        (
            {"sql": "SELECT 1", "resourceArn": "arn:aws:rds:eu-west-1:210987654321:cluster:lost"},
            "DatabaseNotFoundException",
            ("cluster:lost",),
        ),
        (
            {
                "sql": "SELECT 1",
                "secretArn": "arn:aws:secretsmanager:eu-west-1:210987654321:secret:lost-abcdef",
            },
            "SecretsErrorException",
            ("secret:lost",),
        ),
    ],
)
def test_what_is_wrong_is_named(
    aurora: Aurora, request_: dict[str, Any], code: str, words: tuple[str, ...]
) -> None:
    with refused(code, *words):
        aurora.sql(**request_)


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        ('{"username": "pinwheel_admin", "password": "guessed"}', "DatabaseErrorException", "1045"),
        ('{"user": "pinwheel_admin"}', "InvalidSecretException", "username and password"),
        ("just text", "InvalidSecretException", "JSON"),
    ],
)
def test_a_secret_that_does_not_open_the_database(
    aurora: Aurora, unique: Callable[[str], str], content: str, code: str, word: str
) -> None:
    secrets = aurora.cloud.client("secretsmanager")
    arn = secrets.create_secret(Name=unique("wrong-"), SecretString=content)["ARN"]
    with refused(code, word):
        aurora.sql("SELECT 1", secretArn=arn)


def test_a_cluster_without_the_data_api_or_without_an_instance(new_aurora: Callable[..., Aurora]) -> None:
    closed = new_aurora(instances=1, EnableHttpEndpoint=False)
    with refused("HttpEndpointNotEnabledException", closed.name):
        closed.sql("SELECT 1")
    closed.cloud.client("rds").modify_db_cluster(DBClusterIdentifier=closed.name, EnableHttpEndpoint=True)
    assert closed.sql("SELECT 1")["records"] == [[{"longValue": 1}]]
    with refused("DatabaseNotFoundException", "no DB instance"):
        new_aurora(instances=0).sql("SELECT 1")
