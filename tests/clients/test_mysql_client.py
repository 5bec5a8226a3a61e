"""A MySQL client with the credentials that Secrets Manager holds, at the endpoints that the programs put out."""

import json

import boto3
import pymysql
import pytest

from emulator.process import CREDENTIALS
from tests.clients.support import needs_mysql

pytestmark = [pytest.mark.xdist_group("world"), needs_mysql]


def credential(world, service: str) -> dict[str, str]:
    secrets = boto3.client("secretsmanager", "us-east-1", endpoint_url=world.endpoint, **CREDENTIALS)
    value = secrets.get_secret_value(SecretId=f"pinwheel/local/database/{service}")
    return json.loads(value["SecretString"])


def connect(world, secret: dict[str, str], *, role: str = "writer", **other) -> pymysql.Connection:
    host, _, port = world.thing(f"MySQL {role}").partition(":")
    given = {"user": secret["username"], "password": secret["password"], "database": secret["dbname"]}
    return pymysql.connect(host=host, port=int(port), autocommit=True, **{**given, **other})


def test_a_service_works_on_its_own_database(world) -> None:
    with connect(world, credential(world, "pin")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS tried (id INT PRIMARY KEY, title VARCHAR(40))")
        cursor.execute("REPLACE INTO tried VALUES (1, 'Ein Stück 🌈')")
        cursor.execute("SELECT title FROM tried WHERE id = 1")
        assert cursor.fetchone() == ("Ein Stück 🌈",)


def test_what_is_written_is_read_at_the_reader_endpoint(world) -> None:
    secret = credential(world, "pin")
    with connect(world, secret) as writer, writer.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS read_back (id INT PRIMARY KEY)")
        cursor.execute("REPLACE INTO read_back VALUES (5)")
    with connect(world, secret, role="reader") as reader, reader.cursor() as cursor:
        cursor.execute("SELECT id FROM read_back")
        assert cursor.fetchone() == (5,)


def test_the_secret_names_the_address_itself(world) -> None:
    secret = credential(world, "pin")
    assert f"{secret['host']}:{secret['port']}" == world.thing("MySQL writer")


def test_a_wrong_password_is_refused(world) -> None:
    with pytest.raises(pymysql.err.OperationalError) as refused:
        connect(world, credential(world, "pin"), password="not-the-password")
    assert refused.value.args[0] == 1045


def test_the_database_of_another_service_is_refused(world) -> None:
    with pytest.raises(pymysql.err.OperationalError) as refused:
        connect(world, credential(world, "pin"), database="search")
    assert refused.value.args[0] == 1044
