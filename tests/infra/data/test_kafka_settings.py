"""Brokers, topics and the connector: what their settings promise."""

import pytest

from infra.data.catalogue import CDC_TOPICS, TOPICS, Cleanup, Topic
from infra.data.debezium import connector_settings, worker_properties
from infra.data.kafka_configuration import min_in_sync_replicas, replication_factor, server_properties
from infra.data.topics import topic_configs


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("zones", [2, 3])
def test_losing_a_zone_stops_no_producer_and_loses_no_record(zones: int):
    assert min_in_sync_replicas(zones) == replication_factor(zones) - 1 >= 1


def test_topics_come_only_by_declaration_and_leaders_only_from_the_in_sync():
    read = properties(server_properties(zones=3))
    assert read["auto.create.topics.enable"] == "false"
    assert read["unclean.leader.election.enable"] == "false"
    assert read["default.replication.factor"] == "3"
    assert read["min.insync.replicas"] == read["transaction.state.log.min.isr"] == "2"


def test_retention_is_written_in_milliseconds_and_for_ever_is_minus_one():
    assert topic_configs(Topic("a", 1, retention_days=7), zones=3) == {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "min.insync.replicas": "2",
    }
    forever = topic_configs(Topic("b", 1, retention_days=None, cleanup=Cleanup.COMPACT), zones=2)
    assert forever == {"cleanup.policy": "compact", "retention.ms": "-1", "min.insync.replicas": "1"}


def settings() -> dict[str, str]:
    return connector_settings(
        host="writer.example",
        port=3306,
        secret_name="pinwheel/dev/database/debezium",
        bootstrap_brokers="b:9098",
    )


def test_the_connector_is_told_where_the_password_is_and_never_what_it_is():
    assert settings()["database.password"] == "${secretsmanager:pinwheel/dev/database/debezium:password}"
    assert properties(worker_properties(region="us-east-1"))["config.providers"] == "secretsmanager"


def test_every_topic_that_the_connector_names_is_declared():
    read, worker = settings(), properties(worker_properties(region="us-east-1"))
    prefix = read["topic.prefix"]
    used = {
        prefix,
        read["schema.history.internal.kafka.topic"],
        f"{read['topic.heartbeat.prefix']}.{prefix}",
        worker["offset.storage.topic"],
        *(f"{prefix}.{table}" for table in read["table.include.list"].split(",")),
    }
    assert used == {topic.name for topic in CDC_TOPICS}
    assert set(CDC_TOPICS) <= set(TOPICS)


def test_the_connector_reads_one_binlog_in_one_task_over_tls():
    read = settings()
    assert read["tasks.max"] == "1"
    assert read["database.ssl.mode"] == "required"
    for side in ("producer", "consumer"):
        assert read[f"schema.history.internal.{side}.security.protocol"] == "SASL_SSL"
