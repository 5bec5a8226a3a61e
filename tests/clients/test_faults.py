"""Processes of the world that are killed with -9 come back, and `pinwheel status` tells of it."""

import os
import signal

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from infra.data.catalogue import TOPICS
from tests.clients.support import needs_mysql
from tests.clients.test_mysql_client import connect, credential
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("world")


def member(seen, start: str):
    return next(each for each in seen()["behind"] if each["name"].startswith(start))


def kill(seen, start: str):
    """Kill the process whose name starts so; returns what is told of its successor."""
    before = member(seen, start)
    os.kill(before["pid"], signal.SIGKILL)
    return until(
        lambda: (
            now
            if (now := member(seen, start))["pid"] != before["pid"] and psutil.pid_exists(now["pid"])
            else None
        )
    )


def test_a_killed_broker_is_back_with_its_topics(world, seen) -> None:
    assert kill(seen, "kafka")["details"]["restarts"] > 0
    admin = AdminClient({"bootstrap.servers": world.thing("Kafka brokers")})
    names = {topic.name for topic in TOPICS}
    until(lambda: names <= set(admin.list_topics(timeout=5).topics))


@needs_mysql
def test_a_killed_database_is_back_with_its_data(world, seen) -> None:
    secret = credential(world, "pin")
    with connect(world, secret) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (id INT PRIMARY KEY)")
        cursor.execute("REPLACE INTO kept VALUES (11)")
    assert kill(seen, "mysql")["details"]["restarts"] > 0
    connection = until(lambda: connect(world, secret))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM kept")
        assert cursor.fetchone() == (11,)


def test_a_killed_cluster_is_back_at_the_same_address_with_its_objects(world, seen) -> None:
    nodes = [node["name"] for node in seen()["nodes"]]
    assert nodes
    after = kill(seen, "eks")
    assert after["details"]["address"] == world.thing("Kubernetes API")
    until(lambda: [node["name"] for node in seen()["nodes"]] == nodes)
